// The one thing all panels share: where the reader is looking. A panel listens to what it shows.
"use strict";
const strata = {panels: []};

strata.state = {step: 0, layer: null, factor: null, unit: null, theme: "light"};
strata.changes = d3.dispatch("step", "layer", "factor", "unit", "theme");

// strata.set("layer", "conv2") tells every listener, once, and only of a change.
strata.set = function (name, value) {
  if (strata.state[name] === value) return;
  strata.state[name] = value;
  strata.changes.call(name, null, value);
};

// strata.on("step", "training", fn): the second word keeps listeners of different panels apart.
strata.on = (name, who, listener) => strata.changes.on(name + "." + who, listener);

// d3 before version 6 hands the event over in a global.
strata.event = (given) => d3.event || given;

strata.still = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
