// Layer and unit browser: the optimal stimulus, the patches that excite the unit most, and patches drawn at random.
"use strict";
strata.units = {
  layers: () => (strata.data.panels.units || []).map((entry) => entry.layer),
  of: (layer) => ((strata.data.panels.units || []).find((entry) => entry.layer === layer) || {units: []}).units,
  total: (layer) => (strata.data.panels.units.find((entry) => entry.layer === layer) || {}).of,
  // Factor values of a patch in words.
  describe: (patch) => Object.entries(patch.factors || {}).map(([factor, value]) => `${(strata.data.factorByName.get(factor) || {title: factor}).title}: ${strata.data.value(factor, value)}`).join("\n"),
  // The value that most of these patches share: {factor, value, share}, or null.
  common(patches, factor) {
    const counts = new Map();
    for (const patch of patches) { const v = (patch.factors || {})[factor]; if (v != null) counts.set(v, (counts.get(v) || 0) + 1); }
    const best = Array.from(counts).sort((a, b) => b[1] - a[1])[0];
    return best ? {factor, value: best[0], share: best[1] / patches.length} : null;
  },
  share: (patches, factor, value) => (patches.length ? patches.filter((patch) => (patch.factors || {})[factor] === value).length / patches.length : null),
};
strata.panels.push({
  id: "units", name: "Units", title: "What excites each unit",
  missing: () => (strata.units.layers().length ? null : "the units were not studied"),
  uncontrolled: () => (strata.units.layers().every((layer) => strata.units.of(layer).every((unit) => (unit.random || []).length)) ? null : "the patches drawn at random, their control, are missing."),
  make(frame) {
    const U = strata.units, layer = strata.layerSelect(frame, U.layers());
    const unitSelect = strata.select(frame.controls, "Unit", [], "", (value) => strata.set("unit", value));
    const move = (by) => {
      const list = U.of(layer()), i = list.findIndex((unit) => unit === current());
      strata.set("unit", String(list[(i + by + list.length) % list.length].unit));
    };
    strata.button(frame.controls, "← Previous", () => move(-1), {"aria-label": "Previous unit"});
    strata.button(frame.controls, "Next →", () => move(1), {"aria-label": "Next unit"});
    const current = () => { const list = U.of(layer()); return list.find((unit) => String(unit.unit) === String(strata.state.unit)) || list[0]; };

    function patches(box, list, size) {
      const row = strata.add(box, "ul", {class: "tiles patches"});
      for (const patch of list) {
        const figure = strata.add(strata.add(row, "li"), "figure");
        const canvas = strata.sprites.tile(figure, patch.sprite, patch.tile, size, `patch with activation ${strata.number(patch.activation)}. ${U.describe(patch).replace(/\n/g, ", ")}`);
        canvas.addEventListener("pointermove", (event) => strata.tip(event, `activation ${strata.number(patch.activation)}\n${U.describe(patch)}`));
        canvas.addEventListener("pointerleave", () => strata.tip());
        strata.add(figure, "figcaption", {}, strata.number(patch.activation));
      }
    }
    // All activations on one axis: where the best patches and the optimum stand among patches drawn at random.
    function strip(box, unit) {
      strata.chart(box, "Activations of the patches, the random patches and the optimal stimulus on one axis", (svg, width) => {
        const margin = {left: 8, right: 16}, w = width - margin.left - margin.right;
        const values = unit.random.concat(unit.patches || []).map((patch) => patch.activation).concat(unit.optimal ? [unit.optimal.activation] : []).filter(Number.isFinite);
        const x = d3.scaleLinear().domain(d3.extent(values.concat(0))).nice().range([0, w]);
        svg.attr("height", 76);
        const g = svg.append("g").attr("transform", `translate(${margin.left},8)`);
        strata.axisX(g, x, 30, "activation", Math.max(3, Math.floor(w / 90)));
        const dots = (list, y, fill, stroke) => g.append("g").selectAll("circle").data(list.filter((patch) => Number.isFinite(patch.activation))).enter().append("circle").attr("cx", (d) => x(d.activation)).attr("cy", y).attr("r", 4.5).style("fill", fill).style("stroke", stroke).style("stroke-width", 1.4).style("fill-opacity", 0.8);
        dots(unit.random, 20, "var(--paper)", "var(--soft)");
        dots(unit.patches || [], 8, strata.layerColour(layer()), "var(--paper)");
        if (unit.optimal && Number.isFinite(unit.optimal.activation)) g.append("path").attr("d", d3.symbol().type(d3.symbolStar).size(130)()).attr("transform", `translate(${x(unit.optimal.activation)},8)`).style("fill", "var(--ink)");
      });
    }
    function show() {
      const list = U.of(layer()), unit = current(), box = strata.clear(frame.body);
      unitSelect.fill(list.map((u) => ({value: String(u.unit), text: String(u.unit)})), unit ? unit.unit : "");
      if (!unit) { frame.claim(`No unit of ${layer()} was studied.`); return; }
      const grid = strata.add(box, "div", {class: "unit"}), left = strata.add(grid, "div"), right = strata.add(grid, "div");
      strata.add(left, "h3", {}, "Optimal stimulus");
      if (unit.optimal) {
        const figure = strata.add(left, "figure", {class: "shot"});
        strata.sprites.tile(figure, unit.optimal.sprite, unit.optimal.tile, 176, `Optimal stimulus of unit ${unit.unit} of ${layer()}`);
        strata.add(figure, "figcaption", {}, `activation ${strata.number(unit.optimal.activation)}, above ${Number.isFinite(unit.optimal.percentile) ? strata.number(unit.optimal.percentile) + "%" : "an unknown share"} of real patches` + (unit.optimal.start ? `; climbed from ${unit.optimal.start}` : ""));
      } else strata.add(left, "p", {class: "lead"}, "none was made for this unit");
      strata.add(right, "h3", {}, "Patches that excite it most");
      patches(right, unit.patches || [], 72);
      strata.add(right, "h3", {style: "margin-top:1rem"}, "Patches drawn at random (control)");
      patches(right, unit.random, 72);
      strata.key(strata.add(right, "div", {style: "margin-top:1rem"}), [{text: "most exciting", dot: true, colour: strata.layerColour(layer())}, {text: "random", dot: true, colour: "var(--faint)"}].concat(unit.optimal ? [{text: "optimal stimulus", star: true}] : []));
      strip(strata.add(right, "div"), unit);
      const shared = strata.data.factors.map((factor) => U.common(unit.patches || [], factor.name)).filter(Boolean)
        .map((c) => Object.assign(c, {base: U.share(unit.random, c.factor, c.value)})).sort((a, b) => (b.share - b.base) - (a.share - a.base))[0];
      const mean = (items) => d3.mean(items.map((patch) => patch.activation).filter(Number.isFinite));
      frame.claim(`Unit ${unit.unit} of ${layer()}${U.total(layer()) ? ` (${list.length} of its ${U.total(layer())} units were studied)` : ""}: its best patches reach ${strata.number(mean(unit.patches || []))} on average, random patches ${strata.number(mean(unit.random))}.` +
        (shared && shared.share - shared.base > 0.3 ? ` ${strata.percent(shared.share)} of the best share ${strata.data.factorByName.get(shared.factor).title} “${strata.data.value(shared.factor, shared.value)}” (random: ${strata.percent(shared.base)}).` : " No factor value stands out among them."));
    }
    strata.on("layer", "units", () => { strata.state.unit = null; show(); });
    strata.on("unit", "units", show);
    show();
    frame.notes({Scale: "Number under a patch: the unit's activation. Patches are cut to what the unit can see and enlarged without smoothing.",
      Control: "Patches drawn at random with the activation of the same unit; for the optimal stimulus, the share of real patches that it exceeds. An optimal stimulus is what the unit could prefer, not what it sees in data: read both."});
  },
});
