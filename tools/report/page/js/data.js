// The run's data as the panels ask for it. The contract is tools/report/CONTRACT.md.
"use strict";
strata.data = (function () {
  const raw = JSON.parse(document.getElementById("run-data").textContent);
  const config = raw.config || {}, panels = raw.panels || {}, metrics = raw.metrics || {};

  // Columns back to rows: [{step, loss, ...}], sorted by step.
  function rows(kind) {
    const columns = metrics[kind];
    if (!columns || !columns.step) return [];
    const names = Object.keys(columns);
    return d3.range(columns.step.length).map((i) => {
      const row = {};
      for (const name of names) row[name] = columns[name][i];
      return row;
    });
  }

  const layers = ((config.model || {}).layers || []).map((layer) => layer.name);
  const factors = (config.factors || []).map((factor, i) => Object.assign({title: factor.name, values: [], order: i}, factor));
  // Low levels first; a factor without a level keeps its place after those with one.
  factors.sort((a, b) => d3.ascending(a.level == null ? 99 : a.level, b.level == null ? 99 : b.level) || a.order - b.order);
  const factorByName = new Map(factors.map((factor) => [factor.name, factor]));

  // Numbers in sentences of the runner as the page writes them: "99.1 %" would be torn at the end of a line.
  const tidy = (text) => (text == null ? "" : String(text).replace(/(\d) %/g, "$1%"));

  const series = new Map();  // "kind|control|layer|factor" -> rows by step
  const keep = (key, row) => (series.has(key) ? series.get(key).push(row) : series.set(key, [row]));
  for (const row of rows("probe")) keep(["probe", row.control, row.layer, row.factor].join("|"), row);
  for (const row of rows("cka")) keep(["cka", row.layer].join("|"), row);
  for (const row of rows("layer")) keep(["layer", row.layer].join("|"), row);
  const of = (...key) => series.get(key.join("|")) || [];

  // The newest row at or before a step: logs of different kinds need not share their steps.
  function at(list, step) {
    const i = d3.bisector((row) => row.step).right(list, step);
    return i > 0 ? list[i - 1] : null;
  }
  const accuracyOf = (row) => (row && Number.isFinite(row.accuracy) ? row.accuracy : null);

  // Accuracy of a probe, or null. The raw pixels and the untrained network do not change with the step.
  function probe(control, layer, factor, step) {
    if (layer === "pixels") return accuracyOf(of("probe", "pixels", "pixels", factor)[0]);
    const list = of("probe", control, layer, factor);
    return accuracyOf(control === "untrained" ? list[0] : at(list, step));
  }

  // Its 95% interval [low, high], where the run recorded one.
  function interval(control, layer, factor, step) {
    const row = layer === "pixels" ? of("probe", "pixels", "pixels", factor)[0] : at(of("probe", control, layer, factor), step);
    return row && Number.isFinite(row.low) && Number.isFinite(row.high) ? [row.low, row.high] : null;
  }

  const train = rows("train"), validation = rows("validation");
  let steps = Array.from(new Set(rows("probe").filter((row) => row.control === "trained").map((row) => row.step)));
  for (const kind of ["cka", "layer"]) if (!steps.length) steps = Array.from(new Set(rows(kind).map((row) => row.step)));
  steps.sort(d3.ascending);

  return {
    config, panels, layers, factors, factorByName, of, at, probe, interval, train, validation, steps,
    dropped: metrics.dropped || 0,
    columns: ["pixels"].concat(layers),
    label: factors.find((factor) => factor.is_label) || factors[0],
    first: steps[0] || 0,
    last: steps.length ? steps[steps.length - 1] : 0,
    probed: (factor) => layers.some((layer) => of("probe", "trained", layer, factor.name).length),
    controlled: (factor) => layers.some((layer) => of("probe", "untrained", layer, factor.name).length),
    epoch: (step) => { const row = at(train, step) || at(validation, step); return row ? row.epoch : null; },
    findings: (panel) => (panels.findings || []).filter((finding) => finding.panel === panel).map((finding) => tidy(finding.text)),
    summary: {question: tidy((panels.summary || {}).question), answer: tidy((panels.summary || {}).answer), verdict: tidy((panels.summary || {}).verdict), picture: (panels.summary || {}).picture},
    value: (factor, index) => { const f = factorByName.get(factor); return f && f.values[index] != null ? String(f.values[index]) : String(index); },
  };
})();
