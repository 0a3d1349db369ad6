// All studied units of a layer at a glance, to be narrowed to those that prefer one value of one factor.
"use strict";
strata.panels.push({
  id: "gallery", name: "Gallery", title: "Gallery of units",
  missing: () => (strata.units.layers().length ? null : "the units were not studied"),
  uncontrolled: () => (strata.units.layers().every((layer) => strata.units.of(layer).every((unit) => (unit.random || []).length)) ? null : "the patches drawn at random, their control, are missing."),
  make(frame) {
    const U = strata.units, D = strata.data;
    const named = D.factors.filter((factor) => U.layers().some((layer) => U.of(layer).some((unit) => (unit.patches || []).some((patch) => patch.factors && patch.factors[factor.name] != null))));
    const layer = strata.layerSelect(frame, U.layers());
    let factor = D.label && named.includes(D.label) ? D.label : named[0], value = "all";
    const values = () => [{value: "all", text: "all"}].concat((factor ? factor.values : []).map((text, i) => ({value: String(i), text})));
    if (named.length > 1) strata.select(frame.controls, "Sorted by", named.map((f) => ({value: f.name, text: strata.factorTitle(f)})), factor.name, (name) => { factor = D.factorByName.get(name); value = "all"; valueSelect.fill(values(), value); show(); });
    const valueSelect = factor ? strata.select(frame.controls, named.length > 1 ? "Value" : "Class", values(), value, (chosen) => { value = chosen; show(); }) : null;
    const cards = strata.add(frame.body, "div", {class: "cards"});
    function show() {
      strata.clear(cards);
      const list = U.of(layer()).map((unit) => {
        const common = factor ? U.common(unit.patches || [], factor.name) : null;
        return {unit, common, base: common ? U.share(unit.random, factor.name, common.value) : null};
      });
      const chosen = list.filter((d) => value === "all" || (d.common && String(d.common.value) === value)).sort((a, b) => (b.common ? b.common.share : 0) - (a.common ? a.common.share : 0));
      for (const d of chosen) {
        const card = strata.button(cards, "", () => { strata.set("unit", String(d.unit.unit)); document.getElementById("units").scrollIntoView(); }, {class: "card", "aria-label": `Open unit ${d.unit.unit} of ${layer()}`});
        const row = strata.add(card, "span", {class: "row"});
        if (d.unit.optimal) strata.sprites.tile(row, d.unit.optimal.sprite, d.unit.optimal.tile, 52, "optimal stimulus");
        for (const patch of (d.unit.patches || []).slice(0, d.unit.optimal ? 2 : 3)) strata.sprites.tile(row, patch.sprite, patch.tile, 52, "exciting patch");
        const text = strata.add(card, "span");
        strata.add(text, "b", {}, `unit ${d.unit.unit}`);
        if (d.common) strata.add(card, "small", {}, `${strata.percent(d.common.share)} ${D.value(factor.name, d.common.value)} (random ${strata.percent(d.base)})`);
      }
      if (!chosen.length) strata.add(cards, "p", {class: "lead"}, `No studied unit of ${layer()} has most of its best patches there.`);
      const pure = list.filter((d) => d.common && d.common.share >= 0.75).length;
      frame.claim(factor ? `In ${layer()}, ${pure} of ${list.length} studied units have at least three quarters of their best patches in one value of ${factor.title}.` : `The ${list.length} studied units of ${layer()}.`);
    }
    strata.on("layer", "gallery", show);
    show();
    frame.notes({Scale: "First picture: the optimal stimulus, then the patches that excite the unit most. The share is of its best patches.", Control: "In brackets: the same share among patches drawn at random. Choose a unit to open it in the browser above."});
  },
});
