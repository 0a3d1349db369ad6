// Which layers are alike: the CKA matrix of the trained network beside that of the untrained one.
"use strict";
strata.panels.push({
  id: "similarity", name: "Similarity", title: "Which layers are alike",
  missing: () => (strata.data.panels.similarity ? null : "the similarity of the layers to each other was not computed"),
  uncontrolled: () => (strata.data.panels.similarity.untrained ? null : "the matrix of the untrained network, its control, is missing."),
  make(frame) {
    const cka = strata.data.panels.similarity, layers = cka.layers, D = strata.data, frames = (cka.frames || []).slice().sort((a, b) => a.step - b.step);
    let now = cka.matrix;  // what the left matrix shows
    const colour = d3.scaleSequential((t) => d3.interpolateViridis(t)).domain([0, 1]);
    const grid = strata.add(frame.body, "div", {class: "pair"});
    function matrix(title, of) {
      const cell = strata.add(grid, "div", {style: "max-width:32rem"}), heading = strata.add(cell, "h3", {}, title);
      const redraw = strata.chart(cell, title + ": similarity of every layer with every other", (svg, width) => {
        const left = Math.min(width * 0.3, 14 + 7.2 * d3.max(layers, (name) => name.length)), size = width - left - 4;
        const band = d3.scaleBand().domain(layers).range([0, size]).padding(0.04);
        const g = svg.append("g").attr("transform", `translate(${left},4)`);
        const cells = d3.merge(of().map((row, i) => row.map((value, j) => ({value, i, j}))));
        g.selectAll("rect").data(cells).enter().append("rect").attr("x", (d) => band(layers[d.j])).attr("y", (d) => band(layers[d.i])).attr("width", band.bandwidth()).attr("height", band.bandwidth()).attr("rx", 2)
          .style("fill", (d) => (Number.isFinite(d.value) ? colour(Math.max(0, d.value)) : "none")).style("stroke", (d) => (Number.isFinite(d.value) ? "none" : "var(--line)"))
          .each(function (d) {
            this.addEventListener("pointermove", (event) => strata.tip(event, `${layers[d.i]} and ${layers[d.j]}: ${d3.format(".3f")(d.value)}`));
            this.addEventListener("pointerleave", () => strata.tip());
          });
        if (band.bandwidth() > 30) g.selectAll(".value").data(cells.filter((d) => Number.isFinite(d.value))).enter().append("text").attr("class", "value").attr("text-anchor", "middle").attr("dy", ".35em").attr("pointer-events", "none")
          .attr("x", (d) => band(layers[d.j]) + band.bandwidth() / 2).attr("y", (d) => band(layers[d.i]) + band.bandwidth() / 2).style("font-size", "12px").style("fill", (d) => (d.value > 0.6 ? "#111" : "#fff")).text((d) => d3.format(".2f")(d.value));
        g.append("g").attr("class", "axis").call(d3.axisLeft(band).tickSize(0).tickPadding(7).tickFormat((name) => strata.shorten(name, left - 12)));
        const axis = g.append("g").attr("class", "axis").attr("transform", `translate(0,${size})`).call(d3.axisBottom(band).tickSize(0).tickPadding(7).tickFormat((name) => strata.shorten(name, 100)));
        const crowded = layers.some((name) => name.length * 7 > band.step());
        if (crowded) axis.selectAll("text").attr("text-anchor", "end").attr("transform", "rotate(-40)").attr("dx", "-.3em");
        svg.attr("height", size + (crowded ? 24 + 4.3 * Math.min(14, d3.max(layers, (name) => name.length)) : 32));
      });
      return {heading, redraw};
    }
    const left = matrix("Trained", () => now);
    matrix("Untrained (control)", () => cka.untrained);
    strata.on("step", "similarity", (step) => {
      const frameNow = step >= D.last ? null : D.at(frames, step);
      now = frameNow ? frameNow.matrix : cka.matrix;
      left.heading.textContent = frameNow ? `At step ${strata.count(frameNow.step)}` : "Trained";
      if (frames.length) left.redraw();
    });
    // Colours in words, for the legend of the scale.
    const bar = strata.add(frame.body, "div", {style: "max-width:20rem;margin-top:.75rem"});
    strata.chart(bar, "Colour scale from 0 to 1", (svg, width) => {
      svg.attr("height", 34);
      svg.selectAll("rect").data(d3.range(40)).enter().append("rect").attr("x", (i) => i * width / 40).attr("width", width / 40 + 0.5).attr("height", 10).style("fill", (i) => colour(i / 39));
      svg.append("g").attr("class", "axis").attr("transform", "translate(0,10)").call(d3.axisBottom(d3.scaleLinear().range([0, width])).ticks(5).tickSize(4)).selectAll("text").attr("text-anchor", (d) => (d === 0 ? "start" : d === 1 ? "end" : "middle"));
    });
    const distance = (rows) => d3.mean(layers.slice(1).map((name, i) => rows[i][i + 1]).filter(Number.isFinite));
    const two = (x) => (Number.isFinite(x) ? d3.format(".2f")(x) : "an unknown value");
    const ends = (rows) => rows[0][layers.length - 1];
    frame.claim(`First and last layer are alike to ${two(ends(cka.matrix))} after training and ${two(ends(cka.untrained))} before; neighbouring layers to ${two(distance(cka.matrix))} on average (${two(distance(cka.untrained))} before), where 1 is the same.` + (frames.length ? " Move the time slider to watch them part." : ""));
    frame.notes({Scale: `${cka.estimator || "CKA"}${cka.examples ? " on " + strata.count(cka.examples) + " held-out images" : ""}, 0 to 1: 1 = the same up to rotation and scale.`,
      Control: "Second matrix: the same for the untrained network. Layers of a random network resemble each other too; only the difference was learned."});
  },
});
