// When a factor becomes readable: probe accuracy of every layer against training step.
"use strict";
strata.panels.push({
  id: "emergence", name: "Emergence", title: "When each feature appears",
  missing: () => (strata.data.steps.length < 2 || !strata.data.factors.some(strata.data.probed) ? "no probe was recorded while the network trained" : null),
  uncontrolled: () => (strata.hierarchy.shown().length ? null : "the probes of the untrained network, its control, are missing."),
  make(frame) {
    const D = strata.data, factors = strata.hierarchy.shown();
    const factor = strata.factorSelect(frame, factors);
    const layer = strata.layerSelect(frame, D.layers);
    strata.key(frame.body, [{text: "chosen layer", class: "trained", colour: "var(--ink)"}, {text: "other layers", class: "thin", colour: "var(--soft)"}, {text: "chosen layer, untrained (control)", class: "untrained"}, {text: "chance", class: "chance"}]);
    const redraw = strata.layerLines(frame.body, "Probe accuracy of each layer against training step", {
      list: (name) => D.of("probe", "trained", name, factor().name), value: (row) => row.accuracy, domain: [0, 1], format: d3.format(".0%"), ticks: 4, height: 320,
      control: (name) => D.probe("untrained", name, factor().name, 0), floor: () => factor().chance,
    });
    // First logged step at which a layer is half way from its untrained start to its end.
    const half = (name, f) => {
      const list = D.of("probe", "trained", name, f.name), from = D.probe("untrained", name, f.name, 0), to = D.probe("trained", name, f.name, D.last);
      if (from == null || to == null || to - from < 0.1) return null;
      const row = list.find((r) => r.accuracy >= (from + to) / 2);
      return row ? row.step : null;
    };
    const say = () => {
      const f = factor(), gains = factors.map((g) => ({g, step: half(D.columns[strata.depth(g, D.last).best], g)})).filter((d) => d.step != null);
      const mine = gains.find((d) => d.g === f);
      frame.claim((mine ? `${f.title.replace(/^./, (c) => c.toUpperCase())} is half-way to its final accuracy (at ${D.columns[strata.depth(f, D.last).best]}) at step ${strata.count(mine.step)}.` : `Training adds less than 10 points to ${f.title}: random filters already pass it on, or it is not learned at all.`) +
        (gains.length > 1 ? " Order of appearance: " + strata.list(gains.sort((a, b) => a.step - b.step).map((d) => `${d.g.title} (${strata.count(d.step)})`)) + "." : ""));
    };
    strata.on("factor", "emergence", () => { redraw(); say(); });
    say();
    frame.notes({Scale: "Horizontal: optimiser steps, spaced in ratios so that the beginning is seen. Vertical: held-out probe accuracy, 0 to 100%.",
      Control: "Every line starts at the untrained network (step 0); the dashed line carries that start of the chosen layer across. Dotted: guessing."});
    layer();
  },
});
