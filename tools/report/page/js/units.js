// What the run knows of single units, at any step, and the browser: click a layer, then a unit.
"use strict";
strata.units = (function () {
  const D = strata.data, entries = D.panels.units || [], sheets = D.panels.sprites || {};
  const entry = (layer) => entries.find((e) => e.layer === layer) || {units: []};
  const of = (layer) => entry(layer).units;
  // The value of a factor in a patch: its own, or that of its tile; null when not known.
  function value(patch, factor) {
    if (patch.factors) return patch.factors[factor] == null ? null : patch.factors[factor];
    const column = ((sheets[patch.sprite] || {}).factors || {})[factor];
    return column && column[patch.tile] != null ? column[patch.tile] : null;
  }
  // What excited a unit at a step and what it answered then to the random patches; the final state where the run kept no frames.
  function at(unit, step) {
    const frame = step < D.last ? D.at(unit.frames || [], step) : null;
    if (!frame) return {step: D.last, patches: unit.patches || [], random: unit.random || []};
    return {
      step: frame.step,
      patches: frame.tiles.map((tile, i) => ({sprite: frame.sprite, tile, activation: frame.activations[i]})),
      random: unit.random.map((patch, i) => Object.assign({}, patch, {activation: frame.random[i]})),
    };
  }
  const share = (patches, factor, wanted) => (patches.length ? patches.filter((patch) => value(patch, factor) === wanted).length / patches.length : null);
  // The value that most of these patches share: {factor, value, share}, or null.
  function common(patches, factor) {
    const counts = new Map();
    for (const patch of patches) { const v = value(patch, factor); if (v != null) counts.set(v, (counts.get(v) || 0) + 1); }
    const best = Array.from(counts).sort((a, b) => b[1] - a[1])[0];
    return best ? {factor, value: best[0], share: best[1] / patches.length} : null;
  }
  // Accuracy lost without a unit: {all, classes: []}, from what the layer's network reaches with all its units.
  const lost = (intact, without) => ({all: intact.accuracy - without.accuracy, classes: intact.classes.map((right, i) => (Number.isFinite(right) && Number.isFinite(without.classes[i]) ? right - without.classes[i] : null))});
  function ablation(layer, unit) {
    const intact = entry(layer).ablation;
    if (!intact || !unit.ablation) return null;
    const random = (intact.random || []).filter((other) => other.unit !== unit.unit).map((other) => lost(intact, other));
    return {images: intact.images, intact, own: lost(intact, unit.ablation), random};
  }
  return {
    layers: () => entries.map((e) => e.layer), entry, of, value, at, share, common, ablation,
    // What may be shown, with its control; else null.
    concept: (unit) => (unit.concept && unit.concept.best.length && Number.isFinite(unit.concept.chance) ? unit.concept : null),
    optimal: (unit) => (unit.optimal && Number.isFinite(unit.optimal.percentile) ? unit.optimal : null),
    // Factor values of a patch in words.
    describe: (patch) => D.factors.filter((factor) => value(patch, factor.name) != null).map((factor) => `${factor.title}: ${D.value(factor.name, value(patch, factor.name))}`).join("\n"),
  };
})();
strata.panels.push({
  id: "units", of: "images", name: "Units", title: "What single units do",
  missing: () => (strata.units.layers().length ? null : "the units were not studied"),
  uncontrolled: () => (strata.units.layers().every((layer) => strata.units.of(layer).every((unit) => (unit.random || []).length)) ? null : "the patches drawn at random, their control, are missing."),
  make(frame) {
    const U = strata.units, D = strata.data, layers = U.layers();
    const layer = () => (layers.includes(strata.state.layer) ? strata.state.layer : layers[layers.length - 1]);
    const current = () => U.of(layer()).find((unit) => String(unit.unit) === String(strata.state.unit)) || U.of(layer())[0];
    const choose = (unit) => strata.set("unit", String(unit.unit));
    const move = (by) => { const list = grid.shown(), i = list.indexOf(current()); if (list.length) choose(list[(i + by + list.length) % list.length]); };

    const row = strata.add(frame.body, "div", {class: "choices", role: "group", "aria-label": "Layer"});
    const buttons = layers.map((name) => {
      const found = U.entry(name), button = strata.button(row, "", () => strata.set("layer", name), {"aria-pressed": name === layer()});
      strata.add(button, "b", {}, name);
      strata.add(button, "small", {}, found.concepts ? `${strata.percent(found.concepts.detectors)} detect a concept` : `${found.units.length}${found.of ? " of " + found.of : ""} units`);
      return button;
    });
    const grid = strata.unitGrid(frame, layer, current, choose);
    strata.button(frame.controls, "← Previous", () => move(-1), {"aria-label": "Previous unit"});
    strata.button(frame.controls, "Next →", () => move(1), {"aria-label": "Next unit"});
    const detail = strata.add(frame.body, "div"), heard = strata.add(frame.body, "p", {class: "unseen", role: "status"});
    let moved = () => {};  // follows the slider

    function say() {
      const unit = current(), now = U.at(unit, strata.state.step), found = U.entry(layer());
      const mean = (items) => d3.mean(items.map((patch) => patch.activation).filter(Number.isFinite));
      const shared = D.factors.map((factor) => U.common(now.patches, factor.name)).filter(Boolean)
        .map((c) => Object.assign(c, {base: U.share(now.random, c.factor, c.value)})).sort((a, b) => (b.share - b.base) - (a.share - a.base))[0];
      frame.claim(`Unit ${unit.unit} of ${layer()}${found.of ? ` (${U.of(layer()).length} of its ${found.of} units were studied)` : ""}${now.step < D.last ? ` at step ${strata.count(now.step)}` : ""}: its best patches reach ${strata.number(mean(now.patches))} on average, random patches ${strata.number(mean(now.random))}.` +
        (shared && shared.share - shared.base > 0.3 ? ` ${strata.percent(shared.share)} of the best share ${D.factorByName.get(shared.factor).title} “${D.value(shared.factor, shared.value)}” (random: ${strata.percent(shared.base)}).` : " No factor value stands out among them."));
    }
    function show() {
      const unit = current();
      strata.clear(detail);
      moved = unit ? strata.unitDetail(detail, layer(), unit) : () => {};
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", layers[i] === layer()));
      grid.mark();
      heard.textContent = unit ? `Unit ${unit.unit} of ${layer()} is shown.` : "";
      if (unit) say(); else frame.claim(`No unit of ${layer()} was studied.`);
      strata.saveTools(frame);
    }
    strata.on("layer", "units", () => { strata.state.unit = null; grid.fill(); show(); });
    strata.on("unit", "units", show);
    strata.on("step", "units", () => { grid.moved(); moved(); say(); });
    grid.fill();
    show();
    const without = Array.from(new Set(layers.map((name) => U.entry(name).without_concepts).filter(Boolean)));
    frame.notes({Scale: "Number under a patch: the unit's activation. Patches are cut to what the unit can see and enlarged without smoothing. IoU from 0 to 1; accuracy lost in points of a hundred.",
      Control: "Patches: others drawn at random, with the same unit's activation. Optimal stimulus: the share of real patches that it exceeds; it is what the unit could prefer, not what it sees in data. Concept: the masks of other images, the values of other images in the same places, and the same unit before training. Loss without the unit: units of the same layer drawn at random.",
      Steps: "Patches and activations follow the time slider; the optimal stimulus, the concept and the loss without the unit are those of the trained network.",
      "Left out": without.length ? `Concepts${layers.every((name) => U.entry(name).without_concepts) ? "" : " of some layers"}: ${strata.list(without)}.` : ""});
  },
});
