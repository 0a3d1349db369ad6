// The page of strata_gpu_bench: `data` holds the rows of one run.
const ours = data.rows.filter(row => row.implementation === "strata");
const compared = ours.filter(row => row.ratio > 0);

d3.select("#run").text(`${data.device}, driver ${data.driver}, CUDA ${data.cuda}, ${data.date}: ${data.command}`);

function geometricMean(rows) {
  return Math.exp(d3.mean(rows, row => Math.log(row.ratio)));
}
function caseOf(row) {
  return [row.family, row.set, row.name, row.shape, row.dtype].join(" | ");
}

function drawRatios() {
  const families = [...d3.group(compared, row => row.family)];
  if (!families.length) {
    d3.select("#plot").append("p").text("No case of this run has a rival.");
    return;
  }
  const width = 1000, lane = 64, margin = {left: 90, right: 90, top: 10, bottom: 40};
  const height = families.length * lane + margin.top + margin.bottom;
  const [low, high] = d3.extent(compared, row => row.ratio);
  const x = d3.scaleLog([Math.min(low, 0.8) / 1.05, Math.max(high, 1.25) * 1.05],
                        [margin.left, width - margin.right]);
  const svg = d3.select("#plot").append("svg").attr("viewBox", [0, 0, width, height])
    .attr("role", "img").attr("aria-label", "Ratios to the fastest rival, a lane a family");
  svg.append("g").attr("class", "axis").attr("transform", `translate(0,${height - margin.bottom})`)
    .call(d3.axisBottom(x).tickFormat(d3.format("~g")).tickValues(
      [0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.5, 2, 3, 5, 10].filter(
        tick => tick >= x.domain()[0] && tick <= x.domain()[1])));
  svg.append("line").attr("class", "one").attr("x1", x(1)).attr("x2", x(1))
    .attr("y1", margin.top).attr("y2", height - margin.bottom);
  families.forEach(([family, rows], i) => {
    const middle = margin.top + (i + 0.5) * lane, mean = geometricMean(rows);
    svg.append("text").attr("x", 0).attr("y", middle + 4).text(family);
    svg.append("text").attr("x", width - margin.right + 10).attr("y", middle + 4)
      .text(`mean ${mean.toFixed(3)}`);
    // Dots are spread over the lane in the order of the cases, so that they do not hide one another.
    svg.append("g").selectAll("circle").data(rows).join("circle")
      .attr("class", row => row.ratio < 1 ? "dot slower" : "dot").attr("r", 5)
      .attr("cx", row => x(row.ratio))
      .attr("cy", (row, j) => middle + ((j * 7) % 11 - 5) * lane / 14)
      .on("click", (event, row) => drawTable(caseOf(row)))
      .append("title").text(row => `${caseOf(row)}\nratio ${row.ratio.toFixed(3)}`);
    svg.append("line").attr("class", "mean").attr("x1", x(mean)).attr("x2", x(mean))
      .attr("y1", middle - lane * 0.4).attr("y2", middle + lane * 0.4);
  });
}

const columns = [
  ["family", row => row.family], ["set", row => row.set], ["case", row => row.name], ["shape", row => row.shape],
  ["type", row => row.dtype], ["by", row => row.implementation], ["kernel", row => row.kernel],
  ["median, us", row => row.median.toFixed(2)], ["p20", row => row.p20.toFixed(2)], ["p80", row => row.p80.toFixed(2)],
  ["TFLOP/s", row => row.tflops > 0 ? row.tflops.toFixed(1) : ""], ["GB/s", row => row.gbs.toFixed(0)],
  ["ratio", row => row.ratio > 0 ? row.ratio.toFixed(3) : ""], ["MHz", row => row.clock || ""],
  ["W", row => row.watts ? row.watts.toFixed(0) : ""], ["settled", row => row.settled ? "" : "no"],
];
const firstNumber = 7;

function drawTable(only) {
  const rows = only ? data.rows.filter(row => caseOf(row) === only) : data.rows;
  const shown = d3.select("#shown").text(only ? `${only} ` : `All ${rows.length} rows.`);
  if (only) shown.append("button").text("Show all").on("click", () => drawTable(null));
  const table = d3.select("#table").html("").append("table");
  table.append("thead").append("tr").selectAll("th").data(columns).join("th")
    .attr("class", (column, i) => i >= firstNumber ? "number" : null).text(column => column[0]);
  table.append("tbody").selectAll("tr").data(rows).join("tr").selectAll("td")
    .data(row => columns.map(column => column[1](row))).join("td")
    .attr("class", (text, i) => i >= firstNumber ? "number" : null).text(text => text);
}

drawRatios();
drawTable(null);
