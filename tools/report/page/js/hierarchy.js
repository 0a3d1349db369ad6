// The one picture: for each factor a row, probe accuracy against layer, the untrained network dashed, chance dotted.
// Rows are ordered by level, low at the bottom, so that a hierarchy shows as stairs that climb to the right.
"use strict";
strata.hierarchy = (function () {
  const D = strata.data;
  const shown = () => D.factors.filter((factor) => D.probed(factor) && D.controlled(factor));

  // A sentence made of the numbers, for a run whose runner wrote none.
  function sentence(step) {
    const depths = shown().map((factor) => strata.depth(factor, step)).filter((depth) => depth.best >= 0);
    if (!depths.length) return "No probe was recorded.";
    const untrained = (d) => D.probe("untrained", D.columns[d.best], d.factor.name, 0);
    const say = (d) => `${d.factor.title} best at ${D.columns[d.best]} (${strata.percent(d.accuracy[d.best])}` + (untrained(d) == null || d.best === 0 ? "" : `; ${strata.percent(untrained(d))} before training`) + ")";
    const upper = (text) => text.replace(/^./, (c) => c.toUpperCase());
    if (depths.length === 1) return upper(say(depths[0]).replace(" best at ", " is read best at ") + (depths[0].accuracy[0] == null ? "." : `, from raw pixels with ${strata.percent(depths[0].accuracy[0])}.`));
    const order = agreement(step), text = `${say(depths[0])}, ${say(depths[depths.length - 1])}.`;
    if (order == null) return upper(text);
    return (order >= 0.6 ? "The deeper the layer, the higher the level it shows: " : order <= -0.6 ? "The deeper the layer, the lower the level it shows: " : "The layers do not follow the levels of the factors: ") + text;
  }
  function agreement(step) {
    const depths = shown().filter((factor) => factor.level != null).map((factor) => strata.depth(factor, step)).filter((d) => d.centre != null && d.onset >= 0);
    return depths.length >= 3 ? strata.spearman(depths.map((d) => d.factor.level), depths.map((d) => d.centre)) : null;
  }

  // One row of the picture into g: y scale, the four lines, the dots.
  function row(g, factor, depth, x, width, height, step) {
    const y = d3.scaleLinear().domain([0, 1]).range([height, 0]), colour = strata.factorColour(factor);
    const dots = depth.accuracy.map((accuracy, i) => ({accuracy, x: x(D.columns[i]), layer: D.columns[i]}));
    const untrained = D.columns.map((layer) => ({accuracy: D.probe("untrained", layer, factor.name, 0), x: x(layer)}));
    const line = d3.line().defined((d) => d.accuracy != null).x((d) => d.x).y((d) => y(d.accuracy));
    const area = d3.area().defined((d) => d.accuracy != null).x((d) => d.x).y0(y(factor.chance)).y1((d) => y(Math.max(factor.chance, d.accuracy)));
    strata.axisY(g, y, width, [0, 0.5, 1], d3.format(".0%"));
    g.append("path").attr("d", area(dots)).style("fill", colour).style("opacity", 0.16);
    g.append("line").attr("class", "chance").attr("x2", width).attr("y1", y(factor.chance)).attr("y2", y(factor.chance));
    if (factor.ceiling != null && factor.ceiling < 1) g.append("line").attr("class", "ceiling").attr("x2", width).attr("y1", y(factor.ceiling)).attr("y2", y(factor.ceiling));
    g.append("path").attr("class", "untrained").attr("d", line(untrained));
    g.append("path").attr("class", "trained").attr("d", line(dots)).style("stroke", colour);
    const bars = D.columns.map((layer) => ({x: x(layer), interval: D.interval("trained", layer, factor.name, step)})).filter((d) => d.interval);
    g.selectAll(".interval").data(bars).enter().append("line").attr("class", "interval").attr("x1", (d) => d.x).attr("x2", (d) => d.x).attr("y1", (d) => y(d.interval[0])).attr("y2", (d) => y(d.interval[1])).style("stroke", colour);
    g.selectAll("circle").data(dots.filter((d) => d.accuracy != null)).enter().append("circle")
      .attr("cx", (d) => d.x).attr("cy", (d) => y(d.accuracy)).attr("r", (d) => (depth.onset >= 0 && d.layer === D.columns[depth.onset] ? 6 : 3)).style("fill", colour)
      .style("stroke", (d) => (depth.onset >= 0 && d.layer === D.columns[depth.onset] ? "var(--paper)" : "none")).style("stroke-width", 2);
    g.selectAll(".hit").data(D.columns).enter().append("rect").attr("class", "hit").style("stroke", "none").style("pointer-events", "all")
      .attr("x", (d) => x(d) - x.step() / 2).attr("width", x.step()).attr("y", -6).attr("height", height + 12)
      .each(function (layer) {
        this.addEventListener("pointermove", (event) => strata.tip(event, `${factor.title} at ${layer}, step ${strata.count(step)}\ntrained ${strata.percent(D.probe("trained", layer, factor.name, step))}` +
          (layer === "pixels" ? "" : `\nuntrained ${strata.percent(D.probe("untrained", layer, factor.name, 0))}`) +
          (D.probe("shuffled", layer, factor.name, step) == null || layer === "pixels" ? "" : `\nshuffled labels ${strata.percent(D.probe("shuffled", layer, factor.name, step))}`) + `\nchance ${strata.percent(factor.chance)}`));
        this.addEventListener("pointerleave", () => strata.tip());
        this.addEventListener("click", () => { strata.set("factor", factor.name); if (layer !== "pixels") strata.set("layer", layer); });
      });
    return depth.onset >= 0 ? [x(D.columns[depth.onset]), y(depth.accuracy[depth.onset])] : null;
  }

  function draw(svg, width) {
    const factors = shown().slice().reverse(), step = strata.state.step, narrow = width < 640;
    const left = narrow ? 40 : 190, right = narrow ? 12 : Math.max(130, Math.min(30 + 7.6 * d3.max(D.columns, (name) => name.length + 9), width * 0.2)), head = narrow ? 24 : 0;
    const height = factors.length === 1 ? 190 : factors.length <= 3 ? 84 : 58, gap = narrow ? 20 : 22, w = width - left - right;
    const x = d3.scalePoint().domain(D.columns).range([0, w]).padding(0.35);
    const stride = head + height + gap, bottom = factors.length * stride - gap;
    const stairs = [];
    factors.forEach((factor, i) => {
      const depth = strata.depth(factor, step), top = i * stride + head + 10;
      const g = svg.append("g").attr("transform", `translate(${left},${top})`);
      const at = row(g, factor, depth, x, w, height, step);
      if (at) stairs.push([at[0] + left, at[1] + top]);
      const title = (narrow ? svg.append("text").attr("x", 0).attr("y", top - 12) : g.append("text").attr("x", -left).attr("y", height / 2 - 4)).attr("class", "mark-label strong").style("fill", strata.legible(strata.factorColour(factor))).text(factor.title);
      const detail = (factor.level == null ? "" : "level " + factor.level + ", ") + (factor.values.length || Math.round(1 / factor.chance)) + " values";
      if (narrow) title.append("tspan").attr("dx", 8).style("font-weight", 400).style("fill", "var(--soft)").text(factor.level == null ? "" : "level " + factor.level);
      else g.append("text").attr("class", "mark-label muted").attr("x", -left).attr("y", height / 2 + 14).text(detail);
      if (depth.best < 0) return;
      const layer = D.columns[depth.best], control = D.probe("untrained", layer, factor.name, 0);
      if (narrow) svg.append("text").attr("class", "mark-label").attr("x", width - right).attr("y", top - 12).attr("text-anchor", "end").text(`${strata.percent(depth.accuracy[depth.best])} at ${strata.shorten(layer, width - right - 220)}`);
      else {
        g.append("text").attr("class", "mark-label strong").attr("x", w + 14).attr("y", height / 2 - 4).text(`${strata.percent(depth.accuracy[depth.best])} at ${strata.shorten(layer, right - 14 - 80)}`).append("title").text(layer);
        g.append("text").attr("class", "mark-label muted").attr("x", w + 14).attr("y", height / 2 + 14).text(layer === "pixels" ? "no layer beats pixels" : `untrained ${strata.percent(control)}`);
      }
    });
    if (stairs.length > 1) svg.insert("path", ":first-child").attr("class", "stairs").attr("d", d3.line()(stairs));
    const foot = svg.append("g").attr("transform", `translate(${left},${bottom + 12})`);
    const axis = foot.append("g").attr("class", "axis").call(d3.axisBottom(x).tickSize(0).tickPadding(6));
    const crowded = D.columns.some((name) => name.length * 7.2 > x.step() - 4);
    if (crowded) axis.selectAll("text").text((name) => strata.shorten(name, 22 * 7.2)).attr("text-anchor", "end").attr("transform", "rotate(-40)").attr("dx", "-.4em").attr("dy", ".2em");
    const depth = crowded ? 16 + 4.3 * Math.min(22, d3.max(D.columns, (name) => name.length)) : 24;
    foot.append("text").attr("class", "axis-title").attr("x", 0).attr("y", depth + 14).text("input");
    foot.append("text").attr("class", "axis-title").attr("x", w).attr("y", depth + 14).attr("text-anchor", "end").text("output");
    foot.append("text").attr("class", "axis-title").attr("x", w / 2).attr("y", depth + 14).attr("text-anchor", "middle").text("layer, in order");
    svg.attr("height", bottom + 12 + depth + 22);
  }

  function make(frame) {
    const factors = shown();
    const left = D.factors.filter((factor) => D.probed(factor) && !D.controlled(factor));
    strata.key(frame.body, [
      {text: "trained network", class: "trained", colour: "var(--ink)"}, {text: "untrained network (control)", class: "untrained"}, {text: "chance", class: "chance"},
    ].concat(factors.some((factor) => factor.ceiling < 1) ? [{text: "best possible", class: "ceiling"}] : [],
      [{text: "first layer within 90% of the row's best", dot: true}]));
    const redraw = strata.chart(frame.body, "Probe accuracy of each factor against layer. " + sentence(D.last), draw);
    strata.on("step", "hierarchy", redraw);
    const order = agreement(D.last);
    const shuffled = d3.max(d3.merge(factors.map((factor) => D.layers.map((layer) => { const a = D.probe("shuffled", layer, factor.name, D.last); return a == null ? null : a - factor.chance; }))));
    const intervals = factors.some((factor) => D.layers.some((layer) => D.interval("trained", layer, factor.name, D.last)));
    const noPixels = factors.filter((factor) => D.probe("pixels", "pixels", factor.name, 0) == null);
    frame.notes({
      Scale: "0 to 100% in every row: held-out probe accuracy of a linear classifier on the activations of one layer." + (intervals ? " Bars: 95% intervals." : "") + (order == null ? "" : ` Rank correlation of level and centre of gravity: ${d3.format(".2f")(order)}.`),
      Control: "Dashed: the same network before training. Dotted: guessing. First column: the raw pixels." + (shuffled == null ? "" : ` Shuffled control, at most ${strata.points(shuffled)} above chance.`),
      "Not drawn": [left.length ? strata.list(left.map((factor) => factor.title)) + ": the untrained control is missing." : "", noPixels.length ? "Raw pixels of " + strata.list(noPixels.map((factor) => factor.title)) + ": not recorded." : ""].join(" ").trim(),
    });
  }
  return {make, sentence, agreement, shown};
})();
