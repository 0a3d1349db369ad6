// Puts the page together: the first screen, the panels that have data and control, and a list of those that have not.
"use strict";
(function () {
  const D = strata.data, config = D.config, summary = D.summary;
  strata.state.step = D.last;
  strata.state.layer = D.layers[D.layers.length - 1];
  strata.state.factor = D.label ? D.label.name : null;
  strata.theme(document.getElementById("theme"));
  document.title = (config.title || "Run") + " · Strata";
  document.getElementById("run-name").textContent = config.title || "";

  // A panel that fails must not take the page with it.
  function guarded(frame, make) {
    try {
      make(frame);
      strata.saveTools(frame);
    } catch (error) {
      console.error(error);
      frame.refuse("its data could not be read (" + error.message + ").");
    }
  }

  // The panel that the run wants on the first screen instead of the probes, if it can be drawn.
  const lead = strata.panels.find((panel) => {
    try { return panel.id === summary.picture && !panel.missing() && !panel.uncontrolled(); } catch (error) { return false; }
  });

  function first() {
    const box = document.getElementById("first");
    const frame = strata.frame(box, lead ? lead.id : "hierarchy", summary.question || "What has each layer of this network learned?");
    frame.section.className = "first";
    const heading = frame.section.querySelector("h2"), title = document.createElement("h1");
    title.id = heading.id;
    title.textContent = heading.textContent;
    heading.replaceWith(title);
    let claim = frame.section.querySelector(".claim");
    if (lead && summary.answer) claim.before(claim = strata.add(null, "p"));  // the panel's own sentence changes with what is chosen
    if (!lead || summary.answer) claim.className = "answer";
    const verdict = () => { if (summary.verdict) claim.insertBefore(strata.add(null, "span", {class: "verdict"}, summary.verdict), claim.firstChild); };
    if (lead) {
      if (summary.answer) claim.textContent = summary.answer;
      verdict();
      return guarded(frame, lead.make);
    }
    if (!D.factors.some(D.probed)) {
      claim.textContent = summary.answer || "";
      return strata.add(frame.section, "p", {class: "refusal"}, "The one picture is not drawn: no probe was recorded.");
    }
    if (!strata.hierarchy.shown().length) return frame.refuse("the probes of the untrained network, their control, are missing.");
    guarded(frame, strata.hierarchy.make);
    claim.textContent = summary.answer || strata.hierarchy.sentence(D.last);
    const findings = D.findings("hierarchy");
    if (findings.length) {
      const list = strata.add(null, "ul", {class: "findings"});
      for (const text of findings) strata.explained(strata.add(list, "li"), text);
      frame.body.after(list);
    }
    verdict();
  }

  function panels() {
    const box = document.getElementById("panels"), contents = document.getElementById("contents"), absent = [], kinds = new Set((config.data || {}).image ? ["images"] : []);
    for (const panel of strata.panels) {
      if (panel === lead) continue;
      let missing = null;
      try { missing = panel.missing(); } catch (error) { missing = "its data could not be read (" + error.message + ")"; }
      if (missing) { absent.push({panel, text: panel.title + ": " + missing + "."}); continue; }
      if (panel.of) kinds.add(panel.of);
      const frame = strata.frame(box, panel.id, panel.title), reason = panel.uncontrolled();
      strata.add(contents, "a", {href: "#" + panel.id}, panel.name);
      if (reason) frame.refuse(reason);
      else guarded(frame, panel.make);
    }
    // A run on images is not asked where its sounds are, nor one that names its own picture where a study's are.
    const texts = lead ? [] : absent.filter(({panel}) => !panel.of || kinds.has(panel.of)).map(({text}) => text);
    if (!texts.length) return;
    const frame = strata.frame(box, "absent", "Not in this report");
    frame.claim("This run did not record everything a report can show.");
    const list = strata.add(frame.body, "ul", {class: "lead"});
    for (const text of texts) strata.add(list, "li", {}, text);
  }

  strata.sprites.load().then(() => {
    first();
    panels();
    strata.timeline(document.getElementById("timeline"));
    document.getElementById("end").textContent = "Made by Strata" + ((config.versions || {}).strata ? " " + config.versions.strata : "") + ". Charts drawn with d3 (BSD licence, in the source of this page). This page holds all its data and asks nothing of a network.";
    document.body.dataset.ready = "true";
  });
})();
