// What every chart shares: an SVG that follows the width of its box, axes, colours, keys, lines by layer.
"use strict";
// Calls draw(svg, width) now and whenever the box changes its width or the theme its colours. Returns the redraw.
strata.chart = function (box, label, draw) {
  const svg = d3.select(box).append("svg").attr("role", "img").attr("aria-label", label);
  let width = 0;
  const redraw = () => { if (width > 40) { svg.selectAll("*").remove(); svg.attr("width", width); draw(svg, width); } };
  new ResizeObserver((entries) => {
    const now = Math.floor(entries[0].contentRect.width);
    if (now !== width) { width = now; redraw(); }
  }).observe(box);
  strata.on("theme", "chart-" + strata.unique(), redraw);
  return redraw;
};
strata.unique = (() => { let last = 0; return () => ++last; })();

strata.dark = () => strata.state.theme === "dark";
// Factors and layers have an order, and their colours say so; the two ramps differ so that they are not taken for each other.
strata.factorColour = function (factor) {
  const list = strata.data.factors, t = list.length > 1 ? list.indexOf(factor) / (list.length - 1) : 0.25;
  return d3.interpolateViridis(strata.dark() ? 0.42 + 0.53 * t : 0.02 + 0.66 * t);
};
strata.layerColour = function (layer) {
  const list = strata.data.layers, t = list.length > 1 ? Math.max(0, list.indexOf(layer)) / (list.length - 1) : 0.5;
  return d3.interpolatePlasma(strata.dark() ? 0.42 + 0.53 * t : 0.02 + 0.68 * t);
};
// The same hue dark or light enough to be read as text (contrast 4.5 to 1 on the page).
strata.legible = function (colour) {
  const lab = d3.lab(colour);
  lab.l = strata.dark() ? Math.max(lab.l, 66) : Math.min(lab.l, 46);
  return lab.toString();
};
// Paul Tol's bright scheme with three more: distinct with every common colour deficiency, on light and on dark.
strata.valueColours = ["#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#9a9a9a", "#EE7733", "#009988", "#8463b5"];
strata.valueColour = (i, count) => (i == null || i < 0 ? "#9a9a9a" : count <= 10 ? strata.valueColours[i] : d3.interpolateSinebow(i / count));

strata.axisX = (g, scale, height, title, ticks, format) => {
  const axis = d3.axisBottom(scale).tickSize(4).tickPadding(5);
  if (Array.isArray(ticks)) axis.tickValues(ticks); else if (ticks) axis.ticks(ticks);
  if (format) axis.tickFormat(format);
  g.append("g").attr("class", "axis").attr("transform", `translate(0,${height})`).call(axis);
  if (title) g.append("text").attr("class", "axis-title").attr("x", scale.range()[1]).attr("y", height + 36).attr("text-anchor", "end").text(title);
};
strata.axisY = (g, scale, width, ticks, format) => {
  const axis = d3.axisLeft(scale).tickSize(-width).tickPadding(7);
  if (Array.isArray(ticks)) axis.tickValues(ticks); else axis.ticks(ticks || 4);
  if (format) axis.tickFormat(format);
  g.append("g").attr("class", "axis").call(axis);
};

// Logged steps are spaced in ratios, and begin with 0.
strata.stepScale = (range) => d3.scaleSymlog().constant(1).domain([strata.data.first, Math.max(1, strata.data.last)]).range(range);
strata.stepTicks = (width) => {
  const last = strata.data.last, all = [0];
  for (let t = 1; t <= last; t *= 10) all.push(t);
  return all.filter((t, i) => width > 320 || i < 1 || i % 2 === 1);
};

// The key above a chart: entries [{text, class, colour}] drawn as short lines.
strata.key = function (box, entries) {
  const list = strata.add(box, "ul", {class: "key"});
  for (const entry of entries) {
    const item = strata.add(list, "li");
    const line = d3.select(item).append("svg").attr("viewBox", "0 0 28 12").attr("aria-hidden", "true");
    if (entry.star) line.append("path").attr("d", d3.symbol().type(d3.symbolStar).size(70)()).attr("transform", "translate(14,6)").attr("fill", "currentColor");
    else if (entry.dot) line.append("circle").attr("cx", 14).attr("cy", 6).attr("r", 4.5).attr("fill", entry.colour || "currentColor");
    else line.append("line").attr("x1", 1).attr("x2", 27).attr("y1", 6).attr("y2", 6).attr("class", entry.class).style("stroke", entry.colour || null);
    strata.add(item, "span", {}, entry.text);
  }
};

// Lines of one quantity against the step, one for each layer; the chosen layer is strong and has its control dashed.
//   value(row) -> number or null, list(layer) -> rows, y: {domain, format, ticks}, control: value at step 0 or given, floor: dotted line
strata.layerLines = function (box, label, options) {
  const margin = {top: 12, bottom: 42, left: 46}, D = strata.data;
  let place = null;  // moves the cursor
  const redraw = strata.chart(box, label, (svg, width) => {
    const longest = 16 + 7.4 * d3.max(D.layers, (layer) => layer.length), right = Math.max(58, Math.min(longest, width * 0.24));
    const w = width - margin.left - right, h = options.height || 250;
    svg.attr("height", h + margin.top + margin.bottom);
    const g = svg.append("g").attr("transform", `translate(${margin.left},${margin.top})`);
    const x = strata.stepScale([0, w]);
    const values = d3.merge(D.layers.map((layer) => options.list(layer).map(options.value))).filter(Number.isFinite);
    const y = d3.scaleLinear().domain(options.domain || [0, d3.max(values) || 1]).range([h, 0]);
    if (!options.domain) y.nice(4);
    strata.axisY(g, y, w, options.ticks, options.format);
    strata.axisX(g, x, h, "training step", strata.stepTicks(w), d3.format("~s"));
    const floor = options.floor && options.floor();
    if (Number.isFinite(floor)) g.append("line").attr("class", "chance").attr("x2", w).attr("y1", y(floor)).attr("y2", y(floor));

    const line = d3.line().x((row) => x(row.step)).y((row) => y(options.value(row))).defined((row) => Number.isFinite(options.value(row)));
    const chosen = D.layers.includes(strata.state.layer) ? strata.state.layer : D.layers[D.layers.length - 1];
    const drawn = D.layers.filter((layer) => options.list(layer).some((row) => Number.isFinite(options.value(row))));
    for (const layer of drawn.filter((l) => l !== chosen).concat(drawn.filter((l) => l === chosen))) {
      const strong = layer === chosen;
      g.append("path").attr("class", strong ? "trained" : "thin").attr("d", line(options.list(layer))).style("stroke", strata.layerColour(layer)).style("opacity", strong ? 1 : 0.75);
    }
    const control = options.control(chosen);
    if (Number.isFinite(control)) g.append("line").attr("class", "untrained").attr("x2", w).attr("y1", y(control)).attr("y2", y(control));

    // Names at the ends of their lines, pushed apart so that none covers another; every second or third where there are many.
    const every = Math.ceil(drawn.length * 14 / h);
    const ends = drawn.filter((layer, i) => layer === chosen || (drawn.length - 1 - i) % every === 0).map((layer) => {
      const last = options.list(layer).filter((row) => Number.isFinite(options.value(row))).pop();
      return {layer, y: y(options.value(last))};
    }).sort((a, b) => a.y - b.y);
    ends.forEach((end, i) => { end.at = i ? Math.max(end.y, ends[i - 1].at + 14) : end.y; });
    const over = ends.length ? Math.max(0, ends[ends.length - 1].at - h) : 0;
    ends.forEach((end, i) => { end.at -= Math.min(over, Math.max(0, end.at - i * 14)); });
    g.selectAll(".end").data(ends).enter().append("text").attr("class", (d) => "mark-label end" + (d.layer === chosen ? " strong" : "")).attr("x", w + 7).attr("dy", ".32em")
      .attr("y", (d) => d.at).style("fill", (d) => strata.legible(strata.layerColour(d.layer))).style("cursor", "pointer").text((d) => strata.shorten(d.layer, right - 8))
      .each(function (d) { d3.select(this).append("title").text(d.layer); this.addEventListener("click", () => strata.set("layer", d.layer)); });

    for (const layer of drawn) {
      g.append("path").attr("class", "hit").attr("d", line(options.list(layer))).each(function () {
        this.addEventListener("click", () => strata.set("layer", layer));
        this.addEventListener("pointermove", (event) => {
          const step = x.invert(event.clientX - svg.node().getBoundingClientRect().left - margin.left);
          const row = D.at(options.list(layer), Math.max(D.first, step + 0.5));
          if (row) strata.tip(event, `${layer}, step ${strata.count(row.step)}\n${(options.format || strata.number)(options.value(row))}`);
        });
        this.addEventListener("pointerleave", () => strata.tip());
      });
    }
    const cursor = g.append("line").attr("class", "cursor").attr("y1", -4).attr("y2", h);
    place = () => { const at = x(strata.state.step); cursor.attr("x1", at).attr("x2", at); };
    place();
  });
  const who = "lines-" + strata.unique();
  strata.on("step", who, () => place && place());
  strata.on("layer", who, redraw);
  return redraw;
};
