// Numbers as people read them, small statistics, and what each number means.
"use strict";
strata.percent = (x) => (Number.isFinite(x) ? d3.format(x > 0.9995 || x === 0 ? ".0f" : ".1f")(100 * x) + "%" : "no value");
strata.points = (x) => d3.format(".1f")(100 * x) + " points";
// A name cut in its middle to fit a width in pixels; the whole name goes into a <title>.
strata.shorten = function (name, width) {
  const room = Math.max(3, Math.floor(width / 6.6));
  if (name.length <= room) return name;
  const head = Math.ceil((room - 1) / 2);
  return name.slice(0, head) + "…" + name.slice(name.length - (room - 1 - head));
};
strata.count = d3.format(",d");
strata.number = (x) => (!Number.isFinite(x) ? "no value" : x === 0 ? "0" : Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3 ? d3.format(".2e")(x) : d3.format(",.3~r")(x));
strata.seconds = (s) => (s < 90 ? d3.format(".3~r")(s) + " s" : Math.floor(s / 60) + " min " + Math.round(s % 60) + " s");
strata.bytes = (b) => (b < 1024 ** 3 ? d3.format(".0f")(b / 1024 ** 2) + " MiB" : d3.format(".2f")(b / 1024 ** 3) + " GiB");
strata.list = (words) => (words.length < 2 ? words.join("") : words.slice(0, -1).join(", ") + " and " + words[words.length - 1]);

// Accuracy with chance at 0 and the ceiling at 1, so that a factor of 2 values and one of 12 can be compared.
strata.aboveChance = (accuracy, factor) => (accuracy == null ? null : Math.max(0, (accuracy - factor.chance) / ((factor.ceiling == null ? 1 : factor.ceiling) - factor.chance)));

// Where in the network a factor can be read: its accuracies by layer (0 = pixels), best layer, onset, centre of gravity.
strata.depth = function (factor, step, control) {
  const D = strata.data;
  const accuracy = D.columns.map((layer) => D.probe(control || "trained", layer, factor.name, step));
  const above = accuracy.map((a) => strata.aboveChance(a, factor));
  const best = d3.max(above);
  const total = d3.sum(above.slice(1));
  return {
    factor, accuracy, above,
    best: best == null ? -1 : above.indexOf(best),
    onset: best > 0.05 ? above.findIndex((a) => a != null && a >= 0.9 * best) : -1,
    centre: total > 0 ? d3.sum(above.map((a, i) => (i ? a * i : 0))) / total : null,
  };
};

// Rank correlation, ties share their mean rank. null when a side does not vary.
strata.spearman = function (x, y) {
  const rank = (v) => v.map((a) => d3.mean(v.map((b, i) => [b, i]).sort((p, q) => p[0] - q[0]).map((p, i) => [p[0], i]).filter((p) => p[0] === a).map((p) => p[1])));
  const a = rank(x), b = rank(y), ma = d3.mean(a), mb = d3.mean(b);
  const cov = d3.sum(a.map((v, i) => (v - ma) * (b[i] - mb))), va = d3.sum(a.map((v) => (v - ma) ** 2)), vb = d3.sum(b.map((v) => (v - mb) ** 2));
  return va && vb ? cov / Math.sqrt(va * vb) : null;
};

strata.definitions = Object.assign({
  "probe accuracy": "A linear classifier is trained on the frozen activations of one layer to tell the values of one factor, and scored on images that neither it nor the network has trained on. High means: the factor can be read from this layer with a weighted sum.",
  "chance": "The accuracy of guessing without looking.",
  "level": "Place of a factor in the hierarchy of what an image is made of: 1 for colours and strokes, 6 for what parts make together. The data set names it, the network is not told.",
  "ceiling": "The best accuracy any classifier could reach (Bayes). Drawn where it is below 100%.",
  "untrained control": "The same network with the same first random weights, before any training. Random filters already pass on colour and some shape: only what exceeds this line was learned.",
  "shuffled control": "The same probe with its labels shuffled: what a probe reports where there is nothing to find.",
  "best layer": "The layer with the highest probe accuracy for a factor.",
  "onset": "The first layer that reaches 90% of the factor's own best (chance counted as 0).",
  "centre of gravity": "Mean layer number, each layer weighted by how far its probe is above chance.",
  "rank correlation": "Spearman's: 1 when two orders agree, 0 when unrelated, -1 when reversed.",
  "CKA": "Centred kernel alignment, linear, debiased: how alike two sets of activations are on the same images, 0 to 1, whatever their rotation or scale.",
  "settling": "The first logged step from which a layer's CKA with its own final state stays at 0.9 or above.",
  "sparsity": "The share of activations that are exactly zero.",
  "effective rank": "How many directions the activations use: exp of the entropy of the eigenvalues of their covariance, scaled to sum to 1 (Roy and Vetterli 2007). 1 for a line, the number of units for a round cloud.",
  "weight norm": "Length of the layer's weight vector (square root of the sum of squares).",
  "optimal stimulus": "A picture found by climbing the unit's activation from noise, kept smooth so that it can be looked at. Its percentile says what share of real patches excite the unit less.",
  "activation": "What a unit answers at one place of an image: its output after the nonlinearity, without a unit of measurement. Patches of one unit can be compared, those of two units cannot.",
  "concept": "A value of a factor with a mask that says where in each image it is drawn (network dissection, Bau et al. 2017). A unit is on in the 2% of all its places where it answers most; the concept it detects is the one whose masks it covers best.",
  "IoU": "Intersection over union: of all pixels where the unit is on or the concept is, the share where both are. 1 when they cover each other, 0 when they never meet.",
  "chance IoU": "The largest IoU that the unit reaches with any concept when each image is given the masks of another (as if places told nothing), or the values of another in its own places (red where it is green). A unit detects a concept when its IoU is above 0.04 and above one and a half times this.",
  "ablated": "A unit's output is held at 0 wherever it occurs, and the accuracy on test images is measured again (Morcos et al. 2018). What is lost says what the network cannot replace, not all that the unit does.",
  "t-SNE": "A map in which images that are neighbours in a layer stay neighbours. Distances between far groups, group sizes and axes mean nothing.",
  "trustworthiness": "1 less a penalty for points that are neighbours on the map but not in the layer (Venna and Kaski 2001): 1 is perfect.",
  "loss of guessing": "The cross entropy of giving each of k classes the same probability: ln k.",
}, strata.data.panels.definitions || {});
