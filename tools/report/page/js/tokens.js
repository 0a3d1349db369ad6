// A text as the network reads it: each token coloured by what it cost, and what the network expected in its place.
"use strict";
strata.tokens = {
  // A token as it is shown: white space gets a sign.
  shown: (token) => (token === "\n" ? "⏎" : token === "\t" ? "⇥" : token === " " ? "␣" : token),
  // From paper (0) to a strong colour (1) on which the ink of the page can still be read.
  colour: (share) => d3.interpolateRgb(...(strata.dark() ? ["#14171b", "#9a4a00"] : ["#fdfdfb", "#f2a154"]))(Math.max(0, Math.min(1, share))),
  // Tokens as a line of text in which one is chosen by click or arrow keys. paint(i) -> colour or null.
  line(box, tokens, words, label, listeners) {
    const holder = strata.add(box, "div", {class: words ? "tokens words-apart" : "tokens", role: "listbox", tabindex: "0", "aria-label": label});
    const spans = tokens.map((token, i) => {
      const span = strata.add(holder, "span", {role: "option", id: "token-" + strata.unique()}, words || token !== " " ? strata.tokens.shown(token) : " ");
      if (token === "\n") strata.add(holder, "br");
      span.addEventListener("click", () => choose(i));
      span.addEventListener("pointerenter", (event) => listeners.hover && strata.tip(event, listeners.hover(i)));
      span.addEventListener("pointerleave", () => strata.tip());
      return span;
    });
    let chosen = null;
    function choose(i) { if (i >= 0 && i < spans.length) listeners.choose(i); }
    holder.addEventListener("keydown", (event) => {
      const by = {ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity}[event.key];
      if (!by) return;
      choose(Math.max(0, Math.min(spans.length - 1, (chosen == null ? -1 : chosen) + by)));
      event.preventDefault();
    });
    return {
      spans,
      paint(colour) { spans.forEach((span, i) => { span.style.background = colour(i) || ""; }); },
      mark(i) {
        if (chosen != null) spans[chosen].setAttribute("aria-selected", "false");
        chosen = i;
        spans[i].setAttribute("aria-selected", "true");
        holder.setAttribute("aria-activedescendant", spans[i].id);
      },
    };
  },
};
strata.panels.push({
  id: "tokens", of: "text", name: "Text", title: "What the network expects, token by token",
  missing: () => (((strata.data.panels.tokens || {}).texts || []).length ? null : "no text was read"),
  uncontrolled: () => (strata.data.panels.tokens.texts.every((text) => text.untrained) ? null : "the losses of the untrained network, their control, are missing."),
  make(frame) {
    const P = strata.data.panels.tokens, T = strata.tokens, unit = P.unit || "token", most = P.uniform || d3.max(P.texts, (text) => d3.max(strata.unpack(text.untrained)));
    let text = P.texts[0], lines = [];
    if (P.texts.length > 1) strata.select(frame.controls, "Text", P.texts.map((t, i) => ({value: String(i), text: t.title || `text ${i + 1}`})), "0", (value) => { text = P.texts[+value]; show(); });
    const copy = strata.button(frame.controls, "Copy numbers", () => strata.copy([[unit, "loss", "untrained"].join("\t")].concat(text.tokens.map((token, i) => [T.shown(token), loss(i) == null ? "" : loss(i), loss(i, "untrained") == null ? "" : loss(i, "untrained")].join("\t"))).join("\n"), copy));
    const scale = strata.add(frame.body, "div", {class: "scale", "aria-hidden": "true"});
    const grid = strata.add(frame.body, "div", {class: "token-layout"}), main = strata.add(grid, "div"), side = strata.add(grid, "div", {"aria-live": "polite"});
    const loss = (i, key) => strata.unpack(text[key || "loss"])[i];
    const chance = (nats) => strata.percent(Math.exp(-nats));
    const cost = (i, key) => (Number.isFinite(loss(i, key)) ? `${strata.number(loss(i, key))} nats, probability ${chance(loss(i, key))}` : "not foretold: nothing comes before it");
    const expected = (i) => ((text.top || [])[i] || []).map(([token, p]) => `${T.shown(token)} ${strata.percent(p)}`).join("   ");
    const mean = (key) => d3.mean(text.tokens, (t, i) => (Number.isFinite(loss(i, key)) ? loss(i, key) : undefined));

    function choose(i) {
      for (const line of lines) line.mark(i);
      strata.clear(side);
      strata.add(side, "h3", {}, `“${T.shown(text.tokens[i])}”, ${unit} ${i + 1}`);
      strata.add(side, "p", {class: "lead"}, `Trained: ${cost(i)}. Untrained: ${cost(i, "untrained")}.`);
      const top = (text.top || [])[i];
      if (!top || !top.length) return;
      strata.add(side, "h3", {}, "Expected in its place");
      const table = strata.add(side, "table", {class: "bars"}), body = strata.add(table, "tbody");
      for (const [token, p] of top) {
        const row = strata.add(body, "tr", token === text.tokens[i] ? {class: "hit-row"} : {});
        strata.add(row, "th", {scope: "row"}, T.shown(token));
        strata.add(strata.add(row, "td", {class: "bar"}), "span", {style: `width:${(100 * p).toFixed(1)}%`});
        strata.add(row, "td", {}, strata.percent(p));
      }
    }
    function paint() {
      lines[0].paint((i) => (Number.isFinite(loss(i)) ? T.colour(loss(i) / most) : null));
      lines[1].paint((i) => (Number.isFinite(loss(i, "untrained")) ? T.colour(loss(i, "untrained") / most) : null));
      strata.clear(scale);
      strata.add(scale, "span", {}, "0 nats: certain");
      strata.add(scale, "i", {style: `background:linear-gradient(to right, ${[0, 0.5, 1].map(T.colour).join(", ")})`});
      strata.add(scale, "span", {}, `${strata.number(most)} nats` + (P.uniform ? ": guessing" : ""));
    }
    function show() {
      strata.clear(main);
      const hover = (i) => `${T.shown(text.tokens[i])}: ${cost(i)}\n${expected(i)}`, words = unit === "word";
      strata.add(main, "h3", {}, "Trained");
      lines = [T.line(main, text.tokens, words, `The text, by the loss of each ${unit}. Arrow keys choose.`, {hover, choose})];
      strata.add(main, "h3", {style: "margin-top:1rem"}, "Untrained (control)");
      lines.push(T.line(main, text.tokens, words, "The same text, by the losses of the untrained network", {hover: (i) => `${T.shown(text.tokens[i])}: ${cost(i, "untrained")}`, choose}));
      paint();
      choose(Math.min(text.tokens.length - 1, d3.scan(text.tokens.map((t, i) => -(loss(i) || 0)))));
      frame.claim(`The network pays ${strata.number(mean())} nats a ${unit} for this text, ${P.given || "each given those before it"}: it gives what comes a probability of ${chance(mean())} (geometric mean). The untrained network pays ${strata.number(mean("untrained"))}` + (P.uniform ? `, guessing ${strata.number(P.uniform)}.` : "."));
    }
    strata.on("theme", "tokens", paint);
    show();
    frame.notes({Scale: `Loss is minus the natural logarithm of the probability that the network gave to the ${unit} that came. The deeper the colour, the greater the surprise` + (P.uniform ? `; the deepest is the loss of giving all ${strata.count(Math.round(Math.exp(P.uniform)))} the same probability, or more.` : "."),
      Control: "The second text shows the losses of the same network before training."});
  },
});
