// What is lost without a unit, overall and by class, beside units of the same layer drawn at random.
"use strict";
strata.unitLoss = function (parent, layer, unit) {
  const D = strata.data, found = strata.units.ablation(layer, unit), most = 12, points = (x) => d3.format("+.1f")(100 * x).replace("+0.0", "0.0").replace("−0.0", "0.0");
  strata.add(parent, "h3", {}, "Without this unit");
  const say = strata.add(parent, "p", {class: "lead"});
  if (!found) return void strata.explained(say, "Not measured: the run did not ablate this unit.");
  if (!found.random.length) return void strata.explained(say, "Not drawn: the loss without units drawn at random, its control, is missing.");
  const value = (i) => (D.label ? D.value(D.label.name, i) : String(i));
  const rowOf = (name, of) => { const others = found.random.map(of).filter(Number.isFinite); return {name, own: of(found.own), low: d3.min(others), high: d3.max(others), mark: d3.mean(others)}; };
  const all = rowOf("all images", (loss) => loss.all);
  const classes = d3.range(found.own.classes.length).map((i) => rowOf(value(i), (loss) => loss.classes[i])).filter((row) => Number.isFinite(row.own));
  const shown = classes.length > most ? classes.slice().sort((a, b) => Math.abs(b.own) - Math.abs(a.own)).slice(0, most) : classes;
  const worst = classes.slice().sort((a, b) => b.own - a.own)[0];
  const change = (x) => (Math.abs(x) < 0.0005 ? "does not change" : `${x > 0 ? "falls" : "rises"} by ${strata.points(Math.abs(x))}`);
  strata.explained(say, `When ablated (held at 0), accuracy on ${strata.count(found.images)} test images ${change(all.own)} from ${strata.percent(found.intact.accuracy)}; without one of ${found.random.length} random units of the layer instead, it changes by ${points(-all.mark)} points on average, at worst by ${points(-all.high)}.` +
    (worst && worst.own > 0.0005 ? ` Most is lost in “${worst.name}”: ${strata.points(worst.own)} (random: ${points(worst.mark)}).` : ""));
  strata.key(parent, [{text: "this unit", dot: true, colour: strata.layerColour(layer)}, {text: "random units: mean and range (control)", dot: true, colour: "var(--faint)"}]);
  const rows = [all].concat(shown), values = d3.merge(rows.map((row) => [row.own, row.low, row.high])).filter(Number.isFinite);
  strata.chart(strata.add(parent, "div"), `Accuracy lost without unit ${unit.unit} of ${layer}, overall and by class`, (svg, width) => strata.dotRows(svg, width, {
    rows, domain: [Math.min(0, d3.min(values)), Math.max(0.02, d3.max(values))], title: "points of accuracy lost", axis: (x) => d3.format("~r")(100 * x), line: 0, colour: strata.layerColour(layer), format: points,
  }));
  if (shown.length < classes.length) strata.add(parent, "p", {class: "lead"}, `The ${most} classes that change most of ${classes.length}.`);
  const table = () => [["points lost without unit " + unit.unit + " of " + layer, "this unit", "random units, mean", "least", "most"]].concat([all].concat(classes).map((row) => [row.name].concat([row.own, row.mark, row.low, row.high].map((x) => (Number.isFinite(x) ? +(100 * x).toFixed(3) : ""))))).map((line) => line.join("\t")).join("\n");
  const copy = strata.button(parent, "Copy table", () => strata.copy(table(), copy), {class: "quiet", "aria-label": "Copy the losses as a table"});
};
