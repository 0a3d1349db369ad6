// The frame of a panel: heading, the sentence it supports, controls, chart, its scale and its control.
"use strict";
// strata.add(parent, "p", {class: "claim"}, "text"): text is always text, never markup.
strata.add = function (parent, tag, attributes, text) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) if (value != null) node.setAttribute(name, value);
  if (text != null) node.textContent = text;
  if (parent) parent.appendChild(node);
  return node;
};
strata.clear = (node) => { while (node.firstChild) node.removeChild(node.firstChild); return node; };

// Text in which the first mention of each defined word links to its definition.
strata.explained = function (parent, text) {
  strata.clear(parent);
  const words = Object.keys(strata.definitions).sort((a, b) => b.length - a.length).map((word) => word.replace(/[^\w\s]/g, "\\$&"));
  const seen = new Set(), pattern = new RegExp("\\b(" + words.join("|") + ")\\b", "gi");
  let from = 0;
  for (const found of text.matchAll(pattern)) {
    const word = Object.keys(strata.definitions).find((key) => key.toLowerCase() === found[0].toLowerCase());
    if (!word || seen.has(word)) continue;
    seen.add(word);
    parent.appendChild(document.createTextNode(text.slice(from, found.index)));
    strata.add(parent, "a", {class: "word", href: "#" + strata.anchor(word), title: strata.definitions[word]}, found[0]);
    from = found.index + found[0].length;
  }
  parent.appendChild(document.createTextNode(text.slice(from)));
};
strata.anchor = (word) => "word-" + word.replace(/\W+/g, "-");

// A panel's section. Returns its parts; claim() and notes() may be called again when the picture changes. What the runner found
// stands before what the page computes.
strata.frame = function (parent, id, title) {
  const section = strata.add(parent, "section", {id, "aria-labelledby": id + "-title"});
  strata.add(section, "h2", {id: id + "-title"}, title);
  const sentence = strata.add(section, "p", {class: "claim"});
  const lead = strata.add(section, "p", {class: "lead", hidden: ""});
  const controls = strata.add(section, "div", {class: "controls"});
  const body = strata.add(section, "div", {class: "chart"});
  const notes = strata.add(section, "dl", {class: "notes"});
  const tools = strata.add(section, "div", {class: "tools"});
  return {
    section, body, controls, tools, id, title,
    claim: (text) => strata.explained(sentence, strata.data.findings(id).concat(text).filter(Boolean).join(" ")),
    lead: (text) => { lead.hidden = false; lead.textContent = text; },
    notes: (entries) => {
      strata.clear(notes);
      for (const [name, text] of Object.entries(entries)) if (text) { strata.add(notes, "dt", {}, name); strata.explained(strata.add(notes, "dd"), text); }
      strata.add(notes, "dt", {}, "Source");
      const config = strata.data.config, from = strata.add(notes, "dd");
      strata.add(from, "a", {href: "#repeat", title: config.command}, config.command ? "The command" : "The run");
      from.appendChild(document.createTextNode((config.seed == null ? "" : `, with seed ${config.seed}`) + "; "));
      strata.add(from, "a", {href: "#words"}, "what the numbers mean");
      from.appendChild(document.createTextNode("."));
    },
    refuse: (reason) => {
      for (const node of [sentence, lead, controls, body, notes, tools]) node.remove();
      strata.add(section, "p", {class: "refusal"}, "Not drawn: " + reason);
    },
  };
};

// A labelled drop-down. options: [{value, text}]. Returns the <select>.
strata.select = function (parent, label, options, value, listener) {
  const select = strata.add(strata.add(parent, "label", {}, label + " "), "select");
  select.fill = (list, chosen) => {
    strata.clear(select);
    for (const option of list) strata.add(select, "option", {value: option.value}, option.text);
    select.value = String(chosen);
  };
  select.fill(options, value);
  select.addEventListener("change", () => listener(select.value));
  return select;
};
strata.button = function (parent, text, listener, attributes) {
  const button = strata.add(parent, "button", Object.assign({type: "button"}, attributes), text);
  button.addEventListener("click", listener);
  return button;
};

// The layer, shared by all panels.
strata.layerSelect = function (frame, layers) {
  const known = () => (layers.includes(strata.state.layer) ? strata.state.layer : layers[layers.length - 1]);
  const select = strata.select(frame.controls, "Layer", layers.map((layer) => ({value: layer, text: layer})), known(), (layer) => strata.set("layer", layer));
  strata.on("layer", frame.id + "-select", () => { select.value = known(); });
  return known;
};
strata.factorSelect = function (frame, factors, label) {
  const known = () => (factors.find((factor) => factor.name === strata.state.factor) || factors[factors.length - 1]);
  const select = strata.select(frame.controls, label || "Factor", factors.map((factor) => ({value: factor.name, text: strata.factorTitle(factor)})), known().name, (name) => strata.set("factor", name));
  select.parentNode.hidden = factors.length < 2;
  strata.on("factor", frame.id + "-select", () => { select.value = known().name; });
  return known;
};
strata.factorTitle = (factor) => factor.title + (factor.level == null ? "" : " (level " + factor.level + ")");

// One tip for the page. event needs clientX and clientY; picture, if given, is a node put in front of the text.
strata.tip = function (event, text, picture) {
  const tip = document.getElementById("tip");
  tip.hidden = text == null;
  if (text == null) return;
  strata.clear(tip);
  if (picture) tip.appendChild(picture);
  tip.appendChild(document.createTextNode(text));
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, window.innerWidth - box.width - 4)) + "px";
  tip.style.top = (event.clientY + 18 + box.height > window.innerHeight ? event.clientY - box.height - 10 : event.clientY + 16) + "px";
};
