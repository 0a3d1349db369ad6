// The time slider: stands at the bottom of the window and moves every panel to the same training step.
"use strict";
strata.timeline = function (bar) {
  const D = strata.data, steps = D.steps;
  if (steps.length < 2) return;
  bar.hidden = false;
  let timer = null;
  const play = strata.button(bar, "Play", () => (timer ? stop() : start()), {"aria-label": "Play the training"});
  const track = strata.add(bar, "div", {class: "track"});
  const slider = strata.add(track, "input", {id: "step", type: "range", min: 0, max: steps.length - 1, step: 1, value: steps.length - 1, "aria-label": "Training step"});
  const ticks = d3.select(track).append("svg").attr("aria-hidden", "true");
  const output = strata.add(bar, "output", {for: "step"});

  function show(step) {
    slider.value = d3.bisectLeft(steps, step);
    const row = D.at(D.validation, step) || D.at(D.train, step), epoch = D.epoch(step);
    strata.clear(output);
    strata.add(output, "b", {}, "step " + strata.count(step));
    const more = (epoch == null ? "" : ", epoch " + d3.format(".2~f")(epoch)) + (row && Number.isFinite(row.accuracy) ? ", accuracy " + strata.percent(row.accuracy) : "") + (step === 0 ? ", untrained" : "");
    output.appendChild(document.createTextNode(more));
    slider.setAttribute("aria-valuetext", "step " + step + more);
  }
  function stop() {
    if (timer) timer.stop();
    timer = null;
    play.textContent = "Play";
    play.setAttribute("aria-label", "Play the training");
  }
  function start() {
    play.textContent = "Pause";
    play.setAttribute("aria-label", "Pause");
    if (+slider.value === steps.length - 1) strata.set("step", steps[0]);
    timer = d3.interval(() => {
      const next = d3.bisectLeft(steps, strata.state.step) + 1;
      if (next >= steps.length) return stop();
      strata.set("step", steps[next]);
    }, 320);
  }
  slider.addEventListener("input", () => { stop(); strata.set("step", steps[+slider.value]); });
  strata.on("step", "timeline", show);

  // A tick for each logged step; every tenfold is labelled by its height alone, the words are in the output.
  new ResizeObserver((entries) => {
    const x = d3.scaleLinear().domain([0, steps.length - 1]).range([8, entries[0].contentRect.width - 8]);
    const tall = new Set(d3.range(0, 9).map((power) => steps[d3.bisectLeft(steps, 10 ** power)]).concat(steps[0]));
    const lines = ticks.selectAll("line").data(steps);
    lines.enter().append("line").merge(lines).attr("x1", (d, i) => x(i)).attr("x2", (d, i) => x(i)).attr("y1", 2).attr("y2", (d) => (tall.has(d) ? 10 : 5)).style("stroke", "var(--faint)");
  }).observe(track);
  show(strata.state.step);
};
