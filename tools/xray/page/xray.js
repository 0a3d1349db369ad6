// Draws the examination in `data`: a sentence, the roofline, and the source with notes.
"use strict";

const base = (path) => path.split("/").pop();
const short = d3.format(".3~s");

function writeHead() {
  document.title = `X-ray: ${data.subject}`;
  d3.select("#title").text(`${data.subject}, ${data.shape}, ${data.dtype}`);
  d3.select("#idea").text(data.idea);
  const races = d3.sum(data.kernels, (k) => k.races.length);
  const sectors = d3.max(data.kernels, (k) => k.sector_excess), waves = d3.max(data.kernels, (k) => k.wavefront_excess);
  d3.select("#verdict").text(
    `${races ? races + " races" : "No races seen"}; ${sectors.toFixed(2)} times the fewest sectors; ` +
    `${waves.toFixed(2)} times the fewest wavefronts; ${short(data.bytes)}B of device memory touched, ${short(data.least_bytes)}B at least.`);
}

function drawRoofline() {
  if (!data.flops) {
    d3.select("#roofline").append("p").text("This kernel only moves data: its bound is the bandwidth.");
    return;
  }
  const width = 720, height = 320, margin = {top: 10, right: 150, bottom: 40, left: 60};
  const intensity = data.flops / data.bytes;
  const x = d3.scaleLog().domain([Math.min(0.1, intensity / 4), Math.max(2000, intensity * 4)]).range([margin.left, width - margin.right]);
  const peak = d3.max(data.devices, (d) => d.peak);
  const y = d3.scaleLog().domain([x.domain()[0] * d3.min(data.devices, (d) => d.bandwidth), peak * 2]).range([height - margin.bottom, margin.top]);
  const svg = d3.select("#roofline").append("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("role", "img")
    .attr("aria-label", `Roofline: ${intensity.toFixed(1)} operations a byte`);
  svg.append("g").attr("class", "axis").attr("transform", `translate(0,${height - margin.bottom})`).call(d3.axisBottom(x).ticks(6, "~g"));
  svg.append("g").attr("class", "axis").attr("transform", `translate(${margin.left},0)`).call(d3.axisLeft(y).ticks(5, "~s"));
  svg.append("text").attr("x", (width - margin.right) / 2).attr("y", height - 4).text("operations a byte");
  svg.append("text").attr("x", margin.left + 6).attr("y", margin.top + 8).text("operations a second");
  for (const device of data.devices) {
    const knee = device.peak / device.bandwidth, [low, high] = x.domain();
    const points = [[low, low * device.bandwidth], [Math.min(knee, high), Math.min(device.peak, high * device.bandwidth)], [high, Math.min(device.peak, high * device.bandwidth)]];
    svg.append("path").attr("class", device.chosen ? "roof chosen" : "roof").attr("d", d3.line().x((p) => x(p[0])).y((p) => y(p[1]))(points));
    device.end = y(points[2][1]);
  }
  // Labels of devices with the same roof share a line.
  let last = -20;
  for (const device of data.devices.slice().sort((a, b) => a.end - b.end)) {
    last = Math.max(device.end, last + 14);
    svg.append("text").attr("x", width - margin.right + 6).attr("y", last + 4).style("font-weight", device.chosen ? "bold" : null).text(device.name);
  }
  const chosen = data.devices.find((d) => d.chosen);
  const bound = Math.min(chosen.peak, intensity * chosen.bandwidth);
  svg.append("circle").attr("class", "dot").attr("cx", x(intensity)).attr("cy", y(bound)).attr("r", 5)
    .append("title").text(`${intensity.toFixed(1)} operations a byte, at most ${short(bound)} a second`);
}

function notesOf(kernel) {
  const notes = new Map();
  const add = (place, text, bad) => {
    const key = place.file + ":" + place.line, note = notes.get(key) || {texts: [], bad: false};
    note.texts.push(text);
    note.bad = note.bad || bad;
    notes.set(key, note);
  };
  for (const place of kernel.places) {
    for (const t of place.traffic)
      add(place, `${t.space} ${t.write ? "store" : "load"} ${t.size} B: ${t.each.toFixed(2)} ${t.space === "global" ? "sectors" : "wavefronts"} (${t.excess.toFixed(2)}x), ${t.requests} requests`, t.excess > 1.1);
    if (place.multiply_adds) add(place, `tensor cores: ${short(place.multiply_adds)} multiply-adds`, false);
    if (place.copied_in) add(place, `copy engine: ${short(place.copied_in)}B in`, false);
    if (place.copied_out) add(place, `copy engine: ${short(place.copied_out)}B out`, false);
    if (place.barriers) add(place, `barrier: ${place.barriers} meetings`, false);
  }
  for (const race of kernel.races) for (const place of [race.first, race.second]) add(place, `race: ${race.kind}`, true);
  return notes;
}

function drawFile(parent, path, lines, notes) {
  const noted = lines.map((_, i) => notes.get(path + ":" + (i + 1)));
  const near = (i) => noted.slice(Math.max(0, i - 3), i + 4).some((n) => n);
  const box = parent.append("div").attr("class", "file");
  box.append("h3").text(base(path));
  const table = box.append("table");
  let hidden = false;
  lines.forEach((text, i) => {
    if (!near(i)) {
      if (!hidden) table.append("tr").attr("class", "gap").append("td").attr("colspan", 3).text("...");
      hidden = true;
      return;
    }
    hidden = false;
    const note = noted[i], row = table.append("tr").attr("class", note ? (note.bad ? "hot bad" : "hot") : null);
    row.append("td").attr("class", "number").text(i + 1);
    row.append("td").text(text);
    row.append("td").attr("class", "note").text(note ? note.texts.join("\n") : "");
  });
}

function drawKernels() {
  for (const kernel of data.kernels) {
    const parent = d3.select("#kernels").append("section");
    parent.append("h3").text(`${kernel.name}: ${kernel.blocks} blocks of ${kernel.threads} threads`);
    for (const race of kernel.races)
      parent.append("p").attr("class", "race").text(`Race, ${race.count} times: ${race.kind} at ${base(race.first.file)}:${race.first.line} and ${base(race.second.file)}:${race.second.line} (${race.detail})`);
    const notes = notesOf(kernel);
    for (const path of Object.keys(data.sources))
      if ([...notes.keys()].some((key) => key.startsWith(path + ":"))) drawFile(parent, path, data.sources[path], notes);
  }
}

writeHead();
drawRoofline();
drawKernels();
