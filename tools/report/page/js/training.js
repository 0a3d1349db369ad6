// Loss, accuracy and learning rate. Drag across a chart to enlarge a stretch of steps; double click to see all.
"use strict";
strata.panels.push({
  id: "training", name: "Training", title: "How training went",
  missing: () => (strata.data.train.length || strata.data.validation.length ? null : "the training curve was not recorded"),
  uncontrolled: () => (strata.data.validation.length ? null : "the curve on held-out images, its control, is missing."),
  make(frame) {
    const D = strata.data, classes = D.label ? D.label.values.length || Math.round(1 / D.label.chance) : 0;
    let range = [0, Math.max(1, D.last, d3.max(D.train, (row) => row.step) || 0, d3.max(D.validation, (row) => row.step) || 0)];
    const all = range, redraws = [];
    const cursors = [];

    function curve(box, title, value, options) {
      const cell = strata.add(box, "div");
      strata.add(cell, "h3", {}, title);
      const slot = cursors.push(null) - 1;
      redraws.push(strata.chart(cell, title + " against training step", (svg, width) => {
        const margin = {top: 10, right: 10, bottom: 42, left: 46}, w = width - margin.left - margin.right, h = 210;
        svg.attr("height", h + margin.top + margin.bottom);
        const g = svg.append("g").attr("transform", `translate(${margin.left},${margin.top})`);
        const x = d3.scaleLinear().domain(range).range([0, w]);
        const seen = D.train.concat(D.validation).filter((row) => row.step >= range[0] && row.step <= range[1]).map((row) => row[value]).filter(Number.isFinite);
        const y = d3.scaleLinear().domain(options.domain || [Math.min(0, d3.min(seen) || 0), Math.max(options.floor || 0, d3.max(seen) || (seen.length ? 0 : 1))]).range([h, 0]);
        if (!options.domain) y.nice(4);
        strata.axisY(g, y, w, 4, options.format);
        strata.axisX(g, x, h, "training step", Math.max(2, Math.floor(w / 70)), d3.format("~s"));
        const clip = "clip-" + strata.unique();
        svg.append("clipPath").attr("id", clip).append("rect").attr("width", w).attr("y", -4).attr("height", h + 8);
        const plot = g.append("g").attr("clip-path", `url(#${clip})`);
        const line = d3.line().defined((row) => Number.isFinite(row[value])).x((row) => x(row.step)).y((row) => y(row[value]));
        if (Number.isFinite(options.floor)) plot.append("line").attr("class", "chance").attr("x2", w).attr("y1", y(options.floor)).attr("y2", y(options.floor));
        plot.append("path").attr("class", "thin").attr("d", line(D.train)).style("stroke", "var(--faint)");
        plot.append("path").attr("class", "trained").attr("d", line(D.validation)).style("stroke", "var(--accent)");
        const brush = d3.brushX().extent([[0, 0], [w, h]]).on("end", (given) => {
          const event = strata.event(given);
          if (!event.selection) return;
          range = event.selection.map(x.invert);
          redraws.forEach((redraw) => redraw());
        });
        const over = g.append("g").attr("class", "brush").call(brush);
        over.node().addEventListener("dblclick", () => { range = all; redraws.forEach((redraw) => redraw()); });
        over.node().addEventListener("pointermove", (event) => {
          const step = x.invert(event.clientX - svg.node().getBoundingClientRect().left - margin.left), t = D.at(D.train, step), v = D.at(D.validation, step);
          const format = options.format || strata.number;
          strata.tip(event, `step ${strata.count(Math.max(0, step))}` + (t && Number.isFinite(t[value]) ? `\ntraining ${format(t[value])}` : "") + (v && Number.isFinite(v[value]) ? `\nheld out ${format(v[value])}` : ""));
        });
        over.node().addEventListener("pointerleave", () => strata.tip());
        if (D.steps.length < 2) return;  // no time slider, no cursor
        const cursor = plot.append("line").attr("class", "cursor").attr("y2", h);
        cursors[slot] = () => cursor.attr("x1", x(strata.state.step)).attr("x2", x(strata.state.step));
        cursors[slot]();
      }));
    }
    strata.key(frame.body, [{text: "held-out data", class: "trained", colour: "var(--accent)"}, {text: "training batches", class: "thin", colour: "var(--faint)"}].concat(D.label ? [{text: "guessing", class: "chance"}] : []));
    const grid = strata.add(frame.body, "div", {class: "pair"});
    const has = (name) => D.train.concat(D.validation).some((row) => Number.isFinite(row[name]));
    // Scores with names of their own, as the tasks of `strata train` have them.
    const scores = new Map();
    for (const row of D.validation) for (const score of row.scores || []) { row["score " + score.name] = score.value; scores.set(score.name, score); }
    const measured = (score) => strata.number(score.value) + (score.unit === "%" ? "%" : score.unit ? " " + score.unit : "");
    for (const [name, score] of scores) curve(grid, name.replace(/^./, (c) => c.toUpperCase()) + (score.unit ? ` (${score.unit})` : ""), "score " + name, {});
    if (has("loss")) curve(grid, D.label ? "Loss (cross entropy, nats)" : "Loss", "loss", {floor: classes > 1 ? Math.log(classes) : NaN});
    if (has("accuracy")) curve(grid, "Accuracy", "accuracy", {domain: [0, 1], format: d3.format(".0%"), floor: D.label ? D.label.chance : NaN});
    if (has("learning_rate")) curve(grid, "Learning rate", "learning_rate", {format: d3.format("~g")});
    strata.on("step", "training", () => cursors.forEach((move) => move && move()));
    strata.button(frame.controls, "Show all steps", () => { range = all; redraws.forEach((redraw) => redraw()); });

    const last = (list, name) => { const row = list.filter((r) => Number.isFinite(r[name])).pop(); return row ? row[name] : null; };
    const train = last(D.train, "accuracy"), held = last(D.validation, "accuracy");
    const nan = D.train.find((row) => row.loss === null);
    frame.claim((nan ? `The loss stopped being a number at step ${strata.count(nan.step)}; the curve has a gap there. ` : "") +
      (scores.size ? `Held out, at the end: ${strata.list(Array.from(scores.values(), (score) => `${score.name} ${measured(score)}`))}.` : "") +
      (held == null ? "" : `The network ends at ${strata.percent(held)} on images it has never seen` + (train == null ? "." : `, and at ${strata.percent(train)} on its training batches: a gap of ${strata.points(Math.abs(train - held))}.`)));
    frame.notes({Scale: "Steps are evenly spaced. Drag across a chart to enlarge a stretch; double click, or Show all steps, to go back.",
      Control: `The thick line is measured on held-out data; the thin one on the batches just trained on.` + (D.label ? ` Dotted: the loss of guessing${classes > 1 ? ` (ln ${classes} = ${strata.number(Math.log(classes))})` : ""} and the accuracy of guessing.` : "")});
  },
});
