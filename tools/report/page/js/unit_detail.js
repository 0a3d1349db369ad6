// One unit: its optimal stimulus, the patches that excite it at the step of the slider, its concept, and what is lost without it.
"use strict";
// Fills the box and returns what is called when the slider has moved.
strata.unitDetail = function (box, layer, unit) {
  const U = strata.units, D = strata.data, optimal = U.optimal(unit), colour = () => strata.layerColour(layer);
  const top = strata.add(box, "div", {class: "unit"}), left = strata.add(top, "div"), right = strata.add(top, "div");
  optimum();
  const best = row("Patches that excite it most"), random = row("Patches drawn at random (control)", "margin-top:1rem");
  strata.key(strata.add(right, "div", {style: "margin-top:1rem"}), [{text: "most exciting", dot: true, colour: colour()}, {text: "random", dot: true, colour: "var(--faint)"}].concat(optimal ? [{text: "optimal stimulus", star: true}] : []));
  const strip = activations(strata.add(right, "div"));
  const below = strata.add(box, "div", {class: "pair", style: "margin-top:1.5rem"});
  concept(strata.add(below, "div"));
  strata.unitLoss(strata.add(below, "div"), layer, unit);
  moved();
  return moved;

  function moved() {
    const now = U.at(unit, strata.state.step);
    best.show(now.patches, now.step < D.last ? ` at step ${strata.count(now.step)}` : "");
    random.show(now.random, "");
    strip();
  }
  function optimum() {
    strata.add(left, "h3", {}, "Optimal stimulus");
    if (!optimal) return void strata.add(left, "p", {class: "lead"}, unit.optimal ? "Not drawn: the share of real patches that it exceeds, its control, is missing." : "none was made for this unit");
    const figure = strata.add(left, "figure", {class: "shot"});
    strata.sprites.tile(figure, optimal.sprite, optimal.tile, 176, `Optimal stimulus of unit ${unit.unit} of ${layer}`);
    strata.add(figure, "figcaption", {}, `activation ${strata.number(optimal.activation)}, above ${strata.number(optimal.percentile)}% of real patches` + (optimal.start ? `; climbed from ${optimal.start}` : ""));
  }
  // A row of patches whose pictures and numbers can change.
  function row(title, style) {
    const heading = strata.add(right, "h3", {style}, title), list = strata.add(right, "ul", {class: "tiles patches"});
    let shown = [];
    return {show(patches, more) {
      heading.textContent = title + more;
      while (list.children.length > patches.length) list.lastChild.remove();
      shown = patches;
      patches.forEach((patch, i) => {
        let figure = list.children[i] && list.children[i].firstChild;
        if (!figure) {
          figure = strata.add(strata.add(list, "li"), "figure");
          const canvas = strata.sprites.tile(figure, patch.sprite, patch.tile, 72, "");
          canvas.addEventListener("pointermove", (event) => strata.tip(event, `activation ${strata.number(shown[i].activation)}\n${U.describe(shown[i])}`));
          canvas.addEventListener("pointerleave", () => strata.tip());
          strata.add(figure, "figcaption");
        }
        strata.sprites.draw(figure.firstChild, patch.sprite, patch.tile);
        figure.firstChild.setAttribute("aria-label", `patch with activation ${strata.number(patch.activation)}. ${U.describe(patch).replace(/\n/g, ", ")}`);
        figure.lastChild.textContent = strata.number(patch.activation);
      });
    }};
  }
  // All activations on one axis, which is the same at every step: where the best patches and the optimum stand among patches drawn at random.
  function activations(parent) {
    const every = (unit.frames || []).map((frame) => frame.activations.concat(frame.random));
    const values = d3.merge(every.concat([unit.random.concat(unit.patches || []).map((patch) => patch.activation), optimal ? [optimal.activation] : []])).filter(Number.isFinite);
    return strata.chart(parent, "Activations of the patches, the random patches and the optimal stimulus on one axis", (svg, width) => {
      const margin = {left: 8, right: 16}, w = width - margin.left - margin.right, now = U.at(unit, strata.state.step);
      const x = d3.scaleLinear().domain(d3.extent(values.concat(0))).nice().range([0, w]);
      svg.attr("height", 76);
      const g = svg.append("g").attr("transform", `translate(${margin.left},8)`);
      strata.axisX(g, x, 30, "activation", Math.max(3, Math.floor(w / 90)));
      const dots = (list, y, fill, stroke) => g.append("g").selectAll("circle").data(list.filter((patch) => Number.isFinite(patch.activation))).enter().append("circle").attr("cx", (d) => x(d.activation)).attr("cy", y).attr("r", 4.5).style("fill", fill).style("stroke", stroke).style("stroke-width", 1.4).style("fill-opacity", 0.8);
      dots(now.random, 20, "var(--faint)", "var(--paper)");
      dots(now.patches, 8, colour(), "var(--paper)");
      if (optimal && Number.isFinite(optimal.activation)) g.append("path").attr("d", d3.symbol().type(d3.symbolStar).size(130)()).attr("transform", `translate(${x(optimal.activation)},8)`).style("fill", "var(--ink)");
    });
  }
  function concept(parent) {
    const known = U.concept(unit), found = U.entry(layer), three = d3.format(".3f");
    strata.add(parent, "h3", {}, "Its concept");
    const say = strata.add(parent, "p", {class: "lead"});
    if (!known) return void strata.explained(say, unit.concept ? "Not drawn: the chance IoU, its control, is missing." : `Not measured: ${found.without_concepts || "the run did not ask for it"}.`);
    const first = known.best[0], before = known.untrained;
    strata.explained(say, (known.detects ? `Detects “${first.name}” with an IoU of ${three(first.iou)}` : `Detects no concept: the nearest, “${first.name}”, has an IoU of ${three(first.iou)}`) +
      `; with places or values exchanged between images any concept has at most ${three(known.chance)} (chance IoU).` + (before ? ` The same unit before training: ${three(before.iou)} (“${before.name}”).` : "") +
      (found.concepts ? ` In ${layer} ${strata.percent(found.concepts.detectors)} of the units detect a concept, before training ${strata.percent(found.concepts.untrained_detectors)}.` : ""));
    strata.key(parent, [{text: "this unit", dot: true, colour: colour()}, {text: "places or values exchanged (control)", dot: true, colour: "var(--faint)"}, {text: "chance IoU", class: "chance"}]);
    strata.chart(strata.add(parent, "div"), `IoU of unit ${unit.unit} of ${layer} with its nearest concepts`, (svg, width) => strata.dotRows(svg, width, {
      rows: known.best.map((score) => ({name: score.name, own: score.iou, low: 0, high: score.control, mark: score.control})),
      domain: [0, Math.max(0.1, d3.max(known.best, (score) => score.iou), known.chance)], title: "IoU", line: known.chance, colour: colour(), format: three,
    }));
  }
};
