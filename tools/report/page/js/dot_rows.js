// Rows of a dot (what is shown) over a grey span (what the control reaches) with a mark at the control's own value.
"use strict";
//   rows: [{name, own, low, high, mark}]; domain, title and axis format of the scale; line: dotted, down all rows; format of the numbers
strata.dotRows = function (svg, width, options) {
  const left = Math.min(width * 0.42, 14 + 6.9 * d3.max(options.rows, (row) => row.name.length)), right = 52, step = 24, h = options.rows.length * step;
  const x = d3.scaleLinear().domain(options.domain).nice(4).range([0, width - left - right]), y = d3.scalePoint().domain(d3.range(options.rows.length)).range([step / 2, h - step / 2]);
  svg.attr("height", h + 46);
  const g = svg.append("g").attr("transform", `translate(${left},4)`);
  strata.axisX(g, x, h, options.title, Math.max(2, Math.floor((width - left - right) / 70)), options.axis);
  if (Number.isFinite(options.line)) g.append("line").attr("class", "chance").attr("x1", x(options.line)).attr("x2", x(options.line)).attr("y2", h);
  const row = g.selectAll(".row").data(options.rows).enter().append("g").attr("class", "row").attr("transform", (d, i) => `translate(0,${options.rows.length > 1 ? y(i) : h / 2})`);
  row.append("text").attr("class", "mark-label").attr("x", -10).attr("dy", ".35em").attr("text-anchor", "end").text((d) => strata.shorten(d.name, left - 12)).append("title").text((d) => d.name);
  const control = row.filter((d) => Number.isFinite(d.mark));
  control.append("line").attr("x1", (d) => x(d.low)).attr("x2", (d) => x(d.high)).style("stroke", "var(--faint)").style("stroke-width", 5).style("stroke-linecap", "round").style("opacity", 0.55);
  control.append("circle").attr("cx", (d) => x(d.mark)).attr("r", 3).style("fill", "var(--paper)").style("stroke", "var(--soft)");
  const own = row.filter((d) => Number.isFinite(d.own));
  own.append("circle").attr("class", "own").attr("cx", (d) => x(d.own)).attr("r", 5).style("fill", options.colour).style("stroke", "var(--paper)");
  own.append("text").attr("class", "mark-label muted").attr("x", width - left - right + 12).attr("dy", ".35em").text((d) => options.format(d.own));
};
