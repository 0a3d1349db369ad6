// A plane of points on a canvas: zoom and drag, hover, choose, select an area. Knows nothing of what the points mean.
// Draws 100,000 points: one pass over typed positions, a quadtree for what is under the pointer.
"use strict";
//   points: {x: [], y: []}; options: {colour(i), visible(i), hover(event, i or null), choose(i), area([i...]), label}
strata.plane = function (box, points, options) {
  const holder = strata.add(box, "div", {class: "plane"});
  const canvas = strata.add(holder, "canvas", {tabindex: options.choose ? "0" : null, role: "img", "aria-label": options.label});
  const context = canvas.getContext("2d");
  let width = 0, height = 0, transform = d3.zoomIdentity, tree = null, marked = [], chosen = null, waiting = false, brushing = false;
  const x = d3.scaleLinear(), y = d3.scaleLinear();
  const present = d3.range(points.x.length).filter((i) => Number.isFinite(points.x[i]) && Number.isFinite(points.y[i]));

  const sx = (i) => transform.applyX(x(points.x[i])), sy = (i) => transform.applyY(y(points.y[i]));
  function draw() {
    waiting = false;
    const ratio = window.devicePixelRatio || 1, r = Math.max(1.2, Math.min(4, 60 / Math.sqrt(present.length))) * Math.min(2, Math.sqrt(transform.k));
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const styles = getComputedStyle(document.documentElement), groups = new Map();
    for (const i of present) {
      const colour = options.visible(i) ? options.colour(i) : null;
      if (!groups.has(colour)) groups.set(colour, []);
      groups.get(colour).push(i);
    }
    const many = present.length > 5000;  // squares cost a tenth of circles and look the same when small
    const dot = (i, radius) => {
      const px = sx(i), py = sy(i);
      if (px < -radius || py < -radius || px > width + radius || py > height + radius) return;
      if (many && radius < 4) return context.rect(px - radius, py - radius, 2 * radius, 2 * radius);
      context.moveTo(px + radius, py);
      context.arc(px, py, radius, 0, 2 * Math.PI);
    };
    for (const [colour, list] of Array.from(groups).sort((a) => (a[0] === null ? -1 : 1))) {
      context.globalAlpha = colour === null ? 0.12 : 0.85;
      context.fillStyle = colour === null ? styles.getPropertyValue("--soft") : colour;
      context.beginPath();
      for (const i of list) dot(i, r);
      context.fill();
    }
    context.globalAlpha = 1;
    context.strokeStyle = styles.getPropertyValue("--ink");
    context.lineWidth = 1.5;
    context.beginPath();
    for (const i of marked) dot(i, r + 3);
    context.stroke();
    if (chosen != null) { context.lineWidth = 2.5; context.beginPath(); dot(chosen, r + 6); context.stroke(); }
  }
  const redraw = () => { if (!waiting && width) { waiting = true; requestAnimationFrame(draw); } };

  // The point nearest to a place on the screen, within reach.
  function under(px, py, reach) {
    const i = tree ? tree.find(transform.invertX(px), transform.invertY(py), (reach || 14) / transform.k) : undefined;
    return i === undefined ? null : i;
  }
  const place = (event) => { const rect = canvas.getBoundingClientRect(); return [event.clientX - rect.left, event.clientY - rect.top]; };
  const zoom = d3.zoom().scaleExtent([0.8, 60]).filter(() => !brushing).on("zoom", (given) => { transform = strata.event(given).transform; redraw(); });

  if (options.choose) {
    d3.select(canvas).call(zoom).on("dblclick.zoom", null);
    canvas.addEventListener("pointermove", (event) => options.hover(event, under(...place(event))));
    canvas.addEventListener("pointerleave", (event) => options.hover(event, null));
    canvas.addEventListener("click", (event) => { const i = under(...place(event)); if (i != null) options.choose(i); });
    // Arrow keys walk from point to point, plus and minus zoom, so that nothing needs a mouse.
    canvas.addEventListener("keydown", (event) => {
      const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
      if (event.key === "+" || event.key === "=") d3.select(canvas).call(zoom.scaleBy, 1.5);
      else if (event.key === "-") d3.select(canvas).call(zoom.scaleBy, 1 / 1.5);
      else if (event.key === "0") d3.select(canvas).call(zoom.transform, d3.zoomIdentity);
      else if (way && present.length) {
        if (chosen == null) options.choose(under(width / 2, height / 2, 1e6));
        else {
          const ahead = present.filter((i) => i !== chosen).map((i) => { const dx = sx(i) - sx(chosen), dy = sy(i) - sy(chosen), along = dx * way[0] + dy * way[1]; return {i, along, cost: Math.hypot(dx, dy) + 2 * Math.abs(dx * way[1] + dy * way[0])}; }).filter((d) => d.along > 0);
          if (ahead.length) options.choose(ahead.sort((a, b) => a.cost - b.cost)[0].i);
        }
      } else return;
      event.preventDefault();
    });
  }
  // An overlay that takes the pointer while an area is being selected.
  const overlay = options.area ? d3.select(holder).append("svg").attr("class", "brush").attr("aria-hidden", "true").style("display", "none") : null;
  const brush = options.area ? d3.brush().on("end", (given) => {
    const event = strata.event(given);
    if (!event.selection) return;
    const [[x0, y0], [x1, y1]] = event.selection;
    options.area(present.filter((i) => options.visible(i) && sx(i) >= x0 && sx(i) <= x1 && sy(i) >= y0 && sy(i) <= y1));
  }) : null;

  new ResizeObserver((entries) => {
    const now = Math.floor(entries[0].contentRect.width);
    if (!now || now === width) return;
    width = now;
    height = Math.round(Math.min(now * (options.ratio || 0.72), 620));
    const ratio = window.devicePixelRatio || 1;
    canvas.width = width * ratio; canvas.height = height * ratio;
    canvas.style.height = height + "px";
    fit();
    if (overlay) { overlay.attr("width", width).attr("height", height); brush.extent([[0, 0], [width, height]]); if (brushing) overlay.call(brush); }
  }).observe(holder);

  function fit() {
    // One scale for both axes: a map stretched in one direction would lie about distances.
    const ex = d3.extent(present, (i) => points.x[i]), ey = d3.extent(present, (i) => points.y[i]);
    const span = Math.max((ex[1] - ex[0]) / (width - 24), (ey[1] - ey[0]) / (height - 24)) || 1;
    x.domain([(ex[0] + ex[1] - span * width) / 2, (ex[0] + ex[1] + span * width) / 2]).range([0, width]);
    y.domain([(ey[0] + ey[1] - span * height) / 2, (ey[0] + ey[1] + span * height) / 2]).range([height, 0]);
    tree = d3.quadtree().x((i) => x(points.x[i])).y((i) => y(points.y[i])).addAll(present);
    redraw();
  }
  return {
    redraw,
    place: (i) => [sx(i), sy(i)],
    show(next) { points = next; present.length = 0; for (let i = 0; i < points.x.length; ++i) if (Number.isFinite(points.x[i]) && Number.isFinite(points.y[i])) present.push(i); if (width) fit(); },
    mark(list, centre) { marked = list; chosen = centre; redraw(); },
    reset() { d3.select(canvas).call(zoom.transform, d3.zoomIdentity); },
    select(on) { brushing = on; overlay.style("display", on ? null : "none").selectAll("*").remove(); if (on) overlay.call(brush); },
    // Nearest on the map, for a run without neighbours in the layer's own space.
    nearest: (i, k) => present.filter((j) => j !== i).sort((a, b) => Math.hypot(points.x[a] - points.x[i], points.y[a] - points.y[i]) - Math.hypot(points.x[b] - points.x[i], points.y[b] - points.y[i])).slice(0, k),
  };
};
