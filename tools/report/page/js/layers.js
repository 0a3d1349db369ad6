// How the activations of each layer change: sparsity, effective rank, weight norm.
"use strict";
strata.panels.push({
  id: "layers", name: "Layers", title: "What happens inside the layers",
  missing: () => (strata.data.layers.some((layer) => strata.data.of("layer", layer).length > 1) ? null : "the statistics of the layers were not recorded"),
  uncontrolled: () => (strata.data.layers.some((layer) => strata.data.of("layer", layer).some((row) => row.step === 0)) ? null : "the untrained network (step 0), their control, is missing."),
  make(frame) {
    const D = strata.data;
    strata.layerSelect(frame, D.layers);
    const grid = strata.add(frame.body, "div", {class: "pair"});
    const has = (name) => D.layers.some((layer) => D.of("layer", layer).some((row) => Number.isFinite(row[name])));
    const kinds = [
      {name: "sparsity", title: "Sparsity: share of activations that are zero", domain: [0, 1], format: d3.format(".0%")},
      {name: "effective_rank", title: "Effective rank: directions in use"},
      {name: "weight_norm", title: "Weight norm"},
    ].filter((kind) => has(kind.name));
    for (const kind of kinds) {
      const cell = strata.add(grid, "div");
      strata.add(cell, "h3", {}, kind.title);
      strata.layerLines(cell, kind.title + ", each layer against training step", {
        list: (layer) => D.of("layer", layer), value: (row) => row[kind.name], domain: kind.domain, format: kind.format, ticks: 4, height: 200,
        control: (layer) => { const row = D.of("layer", layer)[0]; return row ? row[kind.name] : null; },
      });
    }
    const say = () => {
      const layer = D.layers.includes(strata.state.layer) ? strata.state.layer : D.layers[D.layers.length - 1], list = D.of("layer", layer);
      const from = list[0], to = D.at(list, strata.state.step);
      if (!from || !to) return frame.claim(`Nothing was recorded for ${layer}.`);
      const words = kinds.map((kind) => `${kind.name.replace("_", " ")} ${(kind.format || strata.number)(from[kind.name])} → ${(kind.format || strata.number)(to[kind.name])}`);
      frame.claim(`${layer}, from the untrained network to step ${strata.count(to.step)}: ${strata.list(words)}.`);
    };
    strata.on("layer", "layers", say);
    strata.on("step", "layers", say);
    say();
    frame.notes({Scale: "Steps are spaced in ratios. Each chart has its own vertical scale, from 0.", Control: "Dashed: the chosen layer of the untrained network (step 0), carried across."});
  },
});
