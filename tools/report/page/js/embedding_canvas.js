// A plane of points on a canvas: zoom and drag, hover, choose, select an area. Knows nothing of what the points mean.
// Draws 100,000 points by writing their pixels itself: paths of so many dots take seconds without a graphics card.
"use strict";
//   points: {x, y}, lists or packed lists, and for a graph its edges [from, to, from, to, ...]
//   options: {paint(), hover(event, i or null), choose(i), area([i...]), label, ratio, radius}
//   paint() -> {of: group of each point (nothing: all 0), palette: colour of each group, only: the group to show alone, or null}
strata.plane = function (box, points, options) {
  const holder = strata.add(box, "div", {class: "plane"});
  const under = points.edges ? strata.add(holder, "canvas", {class: "under", "aria-hidden": "true"}) : null;
  const canvas = strata.add(holder, "canvas", {tabindex: options.choose ? "0" : null, role: "img", "aria-label": options.label});
  const context = canvas.getContext("2d");
  let width = 0, height = 0, transform = d3.zoomIdentity, marked = [], chosen = null, waiting = false, brushing = false;
  let present = [], bx = [], by = [];  // the points that have a place, and where they are before zooming

  const sx = (i) => transform.applyX(bx[i]), sy = (i) => transform.applyY(by[i]);
  const radius = () => (options.radius || Math.max(1.2, Math.min(4, 60 / Math.sqrt(present.length)))) * Math.min(2, Math.sqrt(transform.k));

  // The pixels of a disc about its centre, [dx, dy, how much of the pixel it covers, ...].
  function disc(r) {
    const list = [], reach = Math.ceil(r);
    for (let dy = -reach; dy <= reach; ++dy) for (let dx = -reach; dx <= reach; ++dx) {
      const cover = Math.min(1, r + 0.5 - Math.hypot(dx, dy));
      if (cover > 0) list.push(dx, dy, cover);
    }
    return list;
  }
  function stamp(pixels, ratio, paint, hidden, r) {
    const {data, width: w, height: h} = pixels, marks = disc(r), n = marks.length;
    const grey = d3.rgb(getComputedStyle(document.documentElement).getPropertyValue("--soft").trim());
    const colours = paint.palette.map((text) => d3.rgb(text)), {k, x: tx, y: ty} = transform, alpha = hidden ? 0.12 : 0.85;
    for (const i of present) {
      const group = paint.of ? paint.of[i] : 0;
      if ((paint.only != null && group !== paint.only) !== hidden) continue;
      const px = Math.round((k * bx[i] + tx) * ratio), py = Math.round((k * by[i] + ty) * ratio);
      if (px < -r || py < -r || px > w + r || py > h + r) continue;
      const colour = hidden ? grey : colours[group] || grey;
      for (let m = 0; m < n; m += 3) {
        const x = px + marks[m], y = py + marks[m + 1];
        if (x < 0 || y < 0 || x >= w || y >= h) continue;
        const at = 4 * (y * w + x), a = alpha * marks[m + 2], old = data[at + 3], share = old ? a : 1;
        data[at] += (colour.r - data[at]) * share;
        data[at + 1] += (colour.g - data[at + 1]) * share;
        data[at + 2] += (colour.b - data[at + 2]) * share;
        data[at + 3] = old + (255 - old) * a;
      }
    }
  }
  function ring(list, r) {
    context.beginPath();
    for (const i of list) {
      if (!Number.isFinite(bx[i])) continue;
      context.moveTo(sx(i) + r, sy(i));
      context.arc(sx(i), sy(i), r, 0, 2 * Math.PI);
    }
    context.stroke();
  }
  function lines(styles, ratio) {
    const pen = under.getContext("2d"), edges = points.edges, near = chosen;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const draw = (wanted, colour, thick) => {
      pen.strokeStyle = styles.getPropertyValue(colour);
      pen.lineWidth = thick;
      pen.beginPath();
      for (let e = 0; e < edges.length; e += 2) {
        if ((edges[e] === near || edges[e + 1] === near) !== wanted) continue;
        pen.moveTo(sx(edges[e]), sy(edges[e]));
        pen.lineTo(sx(edges[e + 1]), sy(edges[e + 1]));
      }
      pen.stroke();
    };
    draw(false, "--faint", edges.length > 2000 ? 0.35 : 1);
    if (near != null) draw(true, "--ink", 1.75);
  }
  function draw() {
    waiting = false;
    const ratio = window.devicePixelRatio || 1, r = radius(), paint = options.paint(), styles = getComputedStyle(document.documentElement);
    const pixels = context.createImageData(canvas.width, canvas.height);
    if (paint.only != null) stamp(pixels, ratio, paint, true, r * ratio);
    stamp(pixels, ratio, paint, false, r * ratio);
    context.putImageData(pixels, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.strokeStyle = styles.getPropertyValue("--ink");
    context.lineWidth = 1.5;
    ring(marked, r + 3);
    context.lineWidth = 2.5;
    if (chosen != null) ring([chosen], r + 6);
    if (under) lines(styles, ratio);
  }
  const redraw = () => { if (!waiting && width) { waiting = true; requestAnimationFrame(draw); } };

  // The k points with the least cost, cheapest first; a cost of Infinity is none.
  function least(k, cost) {
    const best = [];
    for (const i of present) {
      const c = cost(i);
      if (c === Infinity || (best.length === k && c >= best[k - 1].c)) continue;
      best.push({i, c});
      best.sort((a, b) => a.c - b.c);
      if (best.length > k) best.pop();
    }
    return best.map((d) => d.i);
  }
  // The point nearest to a place on the screen, within reach. Looking at each of 100,000 takes half a millisecond.
  function nearestTo(px, py, reach) {
    let found = null, closest = reach * reach;
    for (const i of present) {
      const d = (sx(i) - px) ** 2 + (sy(i) - py) ** 2;
      if (d < closest) { closest = d; found = i; }
    }
    return found;
  }
  const place = (event) => { const rect = canvas.getBoundingClientRect(); return [event.clientX - rect.left, event.clientY - rect.top]; };
  const zoom = d3.zoom().scaleExtent([0.8, 60]).filter(() => !brushing).on("zoom", (given) => { transform = strata.event(given).transform; redraw(); });

  if (options.choose) {
    d3.select(canvas).call(zoom).on("dblclick.zoom", null);
    canvas.addEventListener("pointermove", (event) => options.hover(event, nearestTo(...place(event), 14)));
    canvas.addEventListener("pointerleave", (event) => options.hover(event, null));
    canvas.addEventListener("click", (event) => { const i = nearestTo(...place(event), 14); if (i != null) options.choose(i); });
    // Arrow keys walk from point to point, plus and minus zoom, so that nothing needs a mouse.
    canvas.addEventListener("keydown", (event) => {
      const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
      if (event.key === "+" || event.key === "=") d3.select(canvas).call(zoom.scaleBy, 1.5);
      else if (event.key === "-") d3.select(canvas).call(zoom.scaleBy, 1 / 1.5);
      else if (event.key === "0") d3.select(canvas).call(zoom.transform, d3.zoomIdentity);
      else if (way && present.length) {
        const next = chosen == null ? nearestTo(width / 2, height / 2, 1e6) : least(1, (i) => {
          const dx = sx(i) - sx(chosen), dy = sy(i) - sy(chosen), along = dx * way[0] + dy * way[1];
          return along > 0 ? Math.hypot(dx, dy) + 2 * Math.abs(dx * way[1] + dy * way[0]) : Infinity;
        })[0];
        if (next != null) options.choose(next);
      } else return;
      event.preventDefault();
    });
  }
  // An overlay that takes the pointer while an area is being selected.
  const overlay = options.area ? d3.select(holder).append("svg").attr("class", "brush").attr("aria-hidden", "true").style("display", "none") : null;
  const brush = options.area ? d3.brush().on("end", (given) => {
    const event = strata.event(given);
    if (!event.selection) return;
    const [[x0, y0], [x1, y1]] = event.selection, paint = options.paint(), list = [];
    for (const i of present) {
      const px = sx(i), py = sy(i);
      if (px >= x0 && px <= x1 && py >= y0 && py <= y1 && (paint.only == null || paint.of[i] === paint.only)) list.push(i);
    }
    options.area(list);
  }) : null;

  new ResizeObserver((entries) => {
    const now = Math.floor(entries[0].contentRect.width);
    if (!now || now === width) return;
    width = now;
    height = Math.round(Math.min(now * (options.ratio || 0.72), 620));
    const ratio = window.devicePixelRatio || 1;
    for (const each of under ? [under, canvas] : [canvas]) {
      each.width = width * ratio; each.height = height * ratio;
      each.style.height = height + "px";
    }
    fit();
    if (overlay) { overlay.attr("width", width).attr("height", height); brush.extent([[0, 0], [width, height]]); if (brushing) overlay.call(brush); }
  }).observe(holder);

  function fit() {
    const x = strata.unpack(points.x), y = strata.unpack(points.y);
    const kept = new Int32Array(x.length);
    let n = 0;
    let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
    for (let i = 0; i < x.length; ++i) {
      if (!Number.isFinite(x[i]) || !Number.isFinite(y[i])) continue;
      kept[n++] = i;
      left = Math.min(left, x[i]); right = Math.max(right, x[i]);
      low = Math.min(low, y[i]); high = Math.max(high, y[i]);
    }
    present = kept.subarray(0, n);
    // One scale for both axes: a map stretched in one direction would lie about distances.
    const span = Math.max((right - left) / (width - 24), (high - low) / (height - 24)) || 1;
    bx = new Float32Array(x.length).fill(NaN);
    by = new Float32Array(x.length).fill(NaN);
    for (const i of present) {
      bx[i] = width / 2 + (x[i] - (left + right) / 2) / span;
      by[i] = height / 2 - (y[i] - (low + high) / 2) / span;
    }
    redraw();
  }
  return {
    redraw, canvas,
    place: (i) => [sx(i), sy(i)],
    show(next) { if (next === points) return redraw(); points = next; if (width) fit(); },
    mark(list, centre) { marked = list; chosen = centre; redraw(); },
    reset() { d3.select(canvas).call(zoom.transform, d3.zoomIdentity); },
    select(on) { brushing = on; overlay.style("display", on ? null : "none").selectAll("*").remove(); if (on) overlay.call(brush); },
    // Nearest on the map, for a run without neighbours in the layer's own space.
    nearest: (i, k) => least(k, (j) => (j === i ? Infinity : (bx[j] - bx[i]) ** 2 + (by[j] - by[i]) ** 2)),
  };
};
