// The numbers behind the pictures as a table that can be copied, what the run cost, and what each number means.
"use strict";
strata.panels.push({
  id: "numbers", name: "Numbers", title: "The numbers",
  missing: () => (strata.data.factors.some(strata.data.probed) ? null : "no probe was recorded"),
  uncontrolled: () => null,
  make(frame) {
    const D = strata.data, factors = D.factors.filter(D.probed);
    const kinds = [["trained", "trained network"], ["untrained", "untrained network (control)"], ["shuffled", "shuffled labels (control)"]].filter(([kind]) => factors.some((factor) => D.layers.some((layer) => D.of("probe", kind, layer, factor.name).length)));
    let kind = "trained";
    strata.select(frame.controls, "Probe accuracy of the", kinds.map(([value, text]) => ({value, text})), kind, (value) => { kind = value; show(); });
    const copy = strata.button(frame.controls, "Copy table", () => strata.copy(text(), copy));
    const box = strata.add(frame.body, "div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of probe accuracies"});
    const head = ["factor", "level", "chance"].concat(D.columns);
    const rows = () => factors.map((factor) => ({factor, values: D.columns.map((layer) => D.probe(kind, layer, factor.name, strata.state.step))}));
    const text = () => [["step " + strata.state.step + ", " + kind].concat(head.slice(1)).join("\t")].concat(rows().map((row) => [row.factor.title, row.factor.level == null ? "" : row.factor.level, row.factor.chance].concat(row.values.map((v) => (v == null ? "" : v))).join("\t"))).join("\n");
    function show() {
      const table = strata.add(strata.clear(box), "table");
      const top = strata.add(strata.add(table, "thead"), "tr"), body = strata.add(table, "tbody");
      for (const name of head) strata.explained(strata.add(top, "th", {scope: "col"}), name);
      for (const row of rows()) {
        const line = strata.add(body, "tr"), best = d3.max(row.values);
        strata.add(line, "th", {scope: "row"}, row.factor.title);
        strata.add(line, "td", {}, row.factor.level == null ? "" : row.factor.level);
        strata.add(line, "td", {}, strata.percent(row.factor.chance));
        for (const v of row.values) strata.add(line, "td", v != null && v === best ? {class: "best"} : {}, v == null ? "" : strata.percent(v));
      }
      frame.claim(`Held-out probe accuracy at step ${strata.count(strata.state.step)}, ${kinds.find(([value]) => value === kind)[1]}; the best of each row is bold.`);
    }
    strata.on("step", "numbers", show);
    show();
    frame.notes({Scale: "Percent of held-out images. The column pixels is the raw image, without a network.", Control: "Choose the untrained network or, where recorded, shuffled labels above."});
  },
});
strata.panels.push({
  id: "cost", name: "Cost", title: "What it cost",
  missing: () => (strata.data.panels.cost ? null : "time and memory were not recorded"),
  uncontrolled: () => null,
  make(frame) {
    const cost = strata.data.panels.cost, parts = Object.entries(cost.seconds || {}).filter((part) => Number.isFinite(part[1])).map(([name, seconds]) => ({name, seconds})).sort((a, b) => b.seconds - a.seconds);
    if (parts.length) strata.chart(frame.body, "Seconds by part of the run", (svg, width) => {
      const left = Math.min(180, 20 + 7 * d3.max(parts, (part) => part.name.length)), right = 90, band = 26;
      const x = d3.scaleLinear().domain([0, d3.max(parts, (part) => part.seconds)]).range([0, Math.min(width, 760) - left - right]), y = d3.scaleBand().domain(parts.map((part) => part.name)).range([0, parts.length * band]).padding(0.3);
      svg.attr("height", parts.length * band + 6);
      const g = svg.append("g").attr("transform", `translate(${left},0)`);
      g.append("g").attr("class", "axis").call(d3.axisLeft(y).tickSize(0).tickPadding(8));
      g.selectAll("rect").data(parts).enter().append("rect").attr("y", (d) => y(d.name)).attr("height", y.bandwidth()).attr("width", (d) => x(d.seconds)).attr("rx", 2).style("fill", "var(--accent)").style("opacity", 0.8);
      g.selectAll(".value").data(parts).enter().append("text").attr("class", "value mark-label muted").attr("x", (d) => x(d.seconds) + 7).attr("y", (d) => y(d.name) + y.bandwidth() / 2).attr("dy", ".35em").text((d) => strata.seconds(d.seconds));
    });
    const total = d3.sum(parts, (part) => part.seconds);
    frame.claim((parts.length ? `${strata.seconds(total)} in all` : "The time was not recorded") + (Number.isFinite(cost.peak_bytes) ? `, at most ${strata.bytes(cost.peak_bytes)} of memory` : "") + (cost.machine ? `, on ${cost.machine}` : "") + ".");
    frame.notes({Scale: "Wall-clock seconds, from 0.", Control: "None: these are measurements of this one run, not a comparison."});
  },
});
