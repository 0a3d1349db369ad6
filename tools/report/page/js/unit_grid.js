// The units of a layer at a glance, to choose one: its optimal stimulus, its best patches at the step of the slider, what it detects.
"use strict";
// layer() and current() say what is chosen, choose(unit) tells. Returns fill() for another layer, mark() for another unit, moved() for
// another step, and shown(), the units in their order.
strata.unitGrid = function (frame, layer, current, choose) {
  const U = strata.units, D = strata.data, all = U.layers().flatMap((name) => U.of(name));
  const named = D.factors.filter((factor) => all.some((unit) => (unit.patches || []).some((patch) => U.value(patch, factor.name) != null)));
  let factor = D.label && named.includes(D.label) ? D.label : named[0], value = "all", order = "unit", shown = [], cards = [];

  const orders = [{value: "unit", text: "number"}];
  if (all.some(U.concept)) orders.push({value: "iou", text: "IoU"});
  if (U.layers().some((name) => U.of(name).some((unit) => U.ablation(name, unit)))) orders.push({value: "lost", text: "loss without it"});
  if (named.length) orders.push({value: "share", text: "share of one value"});
  strata.select(frame.controls, "Order by", orders, order, (chosen) => { order = chosen; fill(); });
  if (named.length > 1) strata.select(frame.controls, "Best patches by", named.map((f) => ({value: f.name, text: strata.factorTitle(f)})), factor.name, (name) => { factor = D.factorByName.get(name); value = "all"; values.fill(options(), value); fill(); });
  const options = () => [{value: "all", text: "all"}].concat(factor.values.map((text, i) => ({value: String(i), text})));
  const values = factor ? strata.select(frame.controls, named.length > 1 ? "Value" : "Class", options(), value, (chosen) => { value = chosen; fill(); }) : null;
  const box = strata.add(frame.body, "div", {class: "cards", role: "group", "aria-label": "Units; arrow keys go from one to the next"});
  box.addEventListener("keydown", (event) => {
    const by = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key], at = cards.findIndex((card) => card.button === event.target);
    if (!by || at < 0) return;
    event.preventDefault();
    const next = (at + by + cards.length) % cards.length;
    cards[next].button.focus();
    choose(shown[next]);
  });

  const preferred = (unit) => (factor ? U.common(unit.patches || [], factor.name) : null);
  const loss = (unit) => { const found = U.ablation(layer(), unit); return found ? found.own.all : -1; };
  const rank = {unit: (unit) => unit.unit, iou: (unit) => -(U.concept(unit) ? U.concept(unit).best[0].iou : -1), lost: (unit) => -loss(unit), share: (unit) => -(preferred(unit) || {share: 0}).share};

  function card(unit) {
    const concept = U.concept(unit), common = preferred(unit), now = U.at(unit, strata.state.step).patches, optimal = U.optimal(unit), room = optimal ? 2 : 3;
    const button = strata.button(box, "", () => choose(unit), {class: "card", "aria-pressed": unit === current(), "aria-label": `Unit ${unit.unit} of ${layer()}` + (concept && concept.detects ? `, detects ${concept.best[0].name}` : "")});
    const row = strata.add(button, "span", {class: "row"});
    if (optimal) strata.sprites.tile(row, optimal.sprite, optimal.tile, 52, "optimal stimulus");
    const tiles = now.slice(0, room).map((patch) => strata.sprites.tile(row, patch.sprite, patch.tile, 52, "exciting patch"));
    const words = strata.add(button, "span", {class: "what"});
    strata.add(words, "b", {}, `unit ${unit.unit}`);
    if (concept) strata.add(words, "small", {}, concept.detects ? `${concept.best[0].name}, IoU ${d3.format(".3f")(concept.best[0].iou)}` : "no concept");
    else if (common) strata.add(words, "small", {}, `${strata.percent(common.share)} ${D.value(factor.name, common.value)} (random ${strata.percent(U.share(unit.random, factor.name, common.value))})`);
    return {unit, button, move: () => U.at(unit, strata.state.step).patches.slice(0, tiles.length).forEach((patch, i) => strata.sprites.draw(tiles[i], patch.sprite, patch.tile))};
  }
  function fill() {
    strata.clear(box);
    shown = U.of(layer()).filter((unit) => value === "all" || String((preferred(unit) || {}).value) === value).sort((a, b) => rank[order](a) - rank[order](b) || a.unit - b.unit);
    cards = shown.map(card);
    if (!shown.length) strata.add(box, "p", {class: "lead"}, `No studied unit of ${layer()} has most of its best patches there.`);
  }
  return {
    fill,
    mark: () => cards.forEach((c) => c.button.setAttribute("aria-pressed", c.unit === current())),
    moved: () => cards.forEach((c) => c.move()),
    shown: () => shown,
  };
};
