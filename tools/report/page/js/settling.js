// Which layers settle first: similarity of each layer to its own final state.
"use strict";
strata.panels.push({
  id: "settling", name: "Settling", title: "Which layers settle first",
  missing: () => (strata.data.layers.some((layer) => strata.data.of("cka", layer).length > 1) ? null : "the similarity of the layers to their final state was not recorded"),
  uncontrolled: () => (strata.data.layers.some((layer) => strata.data.of("cka", layer).some((row) => row.step === 0)) ? null : "the untrained network (step 0), its control, is missing."),
  make(frame) {
    const D = strata.data;
    strata.layerSelect(frame, D.layers);
    strata.key(frame.body, [{text: "chosen layer", class: "trained", colour: "var(--ink)"}, {text: "other layers", class: "thin", colour: "var(--soft)"}, {text: "chosen layer, untrained (control)", class: "untrained"}, {text: "rows shuffled: no relation", class: "chance"}]);
    strata.layerLines(frame.body, "Similarity of each layer to its final state against training step", {
      list: (layer) => D.of("cka", layer), value: (row) => row.cka_to_final, domain: [0, 1], ticks: 5, format: d3.format(".2~f"), height: 290,
      control: (layer) => { const row = D.of("cka", layer)[0]; return row ? row.cka_to_final : null; },
      floor: () => d3.mean(d3.merge(D.layers.map((layer) => D.of("cka", layer).map((row) => row.shuffled))).filter(Number.isFinite)),
    });
    // From this logged step on the similarity stays at 0.9 or above.
    const settled = D.layers.map((layer) => {
      const list = D.of("cka", layer).filter((row) => Number.isFinite(row.cka_to_final));
      let i = list.length;
      while (i > 0 && list[i - 1].cka_to_final >= 0.9) --i;
      return {layer, step: i < list.length ? list[i].step : null};
    }).filter((d) => d.step != null);
    const order = settled.length > 2 ? strata.spearman(settled.map((d, i) => i), settled.map((d) => d.step)) : null;
    frame.claim(settled.length < 2 ? "Too few layers were recorded to order them." :
      `${order == null ? "Layers settle" : order >= 0.6 ? "Layers settle from the input upwards" : order <= -0.6 ? "Layers settle from the output downwards" : "Layers do not settle in the order of depth"}: ${strata.list(settled.map((d) => (d.step === D.last ? `${d.layer} only at the end` : `${d.layer} from step ${strata.count(d.step)}`)))}.`);
    frame.notes({Scale: "Debiased linear CKA between a layer now and the same layer at the end: 1 = the same up to rotation and scale. Settled = stays at 0.9 or above.",
      Control: "Step 0 is the untrained network: a layer that begins high had little to learn. Dotted, where recorded: the rows of one side shuffled."});
  },
});
