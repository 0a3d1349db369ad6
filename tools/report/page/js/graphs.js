// Graphs drawn: nodes coloured by what the data say of them or what the network makes of them, beside the untrained network.
"use strict";
strata.panels.push({
  id: "graphs", of: "graphs", name: "Graph", title: "The graph and what the network makes of it",
  missing: () => ((strata.data.panels.graphs || []).length ? null : "no graph was kept"),
  uncontrolled: () => (strata.data.panels.graphs.every((graph) => graph.columns.some((column) => column.untrained)) ? null : "what the untrained network makes of the nodes, its control, is missing."),
  make(frame) {
    const graphs = strata.data.panels.graphs, shades = 64;
    let graph = graphs[0], column = null, only = null, chosen = null;
    if (graphs.length > 1) strata.select(frame.controls, "Graph", graphs.map((g, i) => ({value: String(i), text: g.title || `graph ${i + 1}`})), "0", (value) => { graph = graphs[+value]; start(); });
    const columnSelect = strata.select(frame.controls, "Colour by", [], "", (value) => { column = graph.columns[+value]; only = null; show(); });
    strata.button(frame.controls, "Whole graph", () => plane.reset());
    const grid = strata.add(frame.body, "div", {class: "map-layout"}), main = strata.add(grid, "div"), side = strata.add(grid, "div");
    const heading = strata.add(main, "h3"), controlHeading = strata.add(side, "h3");

    // Groups of the nodes: the values of a column, or shades of its numbers.
    const range = (list) => { const [low, high] = d3.extent(list); return (v) => Math.round((shades - 1) * (v - low) / (high - low || 1)); };
    function paint(which) {
      const list = strata.unpack(column[which]) || [];
      if (column.values) return {of: list, palette: column.values.map((v, i) => strata.valueColour(i, column.values.length)), only};
      return {of: Array.from(list, range(list)), palette: d3.range(shades).map((i) => d3.interpolateViridis(strata.dark() ? 0.2 + 0.8 * i / shades : 0.95 * i / shades)), only: null};
    }
    const said = (c, i, which) => { const v = strata.unpack(c[which])[i]; return c.values ? c.values[v] : strata.number(v); };
    const words = (i) => graph.columns.map((c) => `${c.name}: ${said(c, i, "data")}` + (c.untrained ? ` (untrained ${said(c, i, "untrained")})` : "")).join("\n");
    // Neighbours of each node, made when first asked for.
    function around(i) {
      if (!graph.near) {
        graph.near = d3.range(graph.nodes).map(() => new Set());
        const e = strata.unpack(graph.edges);
        for (let k = 0; k < e.length; k += 2) { graph.near[e[k]].add(e[k + 1]); graph.near[e[k + 1]].add(e[k]); }
      }
      return Array.from(graph.near[i]);
    }
    const counted = (list) => {
      const c = column.values ? column : graph.columns.find((other) => other.values);
      if (!c) return "";
      const counts = d3.nest().key((i) => said(c, i, "data")).rollup((v) => v.length).entries(list).sort((a, b) => b.value - a.value);
      return counts.map((d) => `${d.value} ${d.key}`).join(", ");
    };
    const name = (i) => (graph.names ? graph.names[i] : `node ${i + 1}`);
    const hover = (event, i) => strata.tip(event, i == null ? null : `${name(i)}\n${words(i)}\n${around(i).length} neighbours: ${counted(around(i))}`);
    const choose = (i) => {
      chosen = i;
      for (const p of [plane, control]) p.mark(around(i), i);
      strata.clear(detail);
      strata.add(detail, "h3", {}, name(i));
      strata.add(detail, "p", {class: "lead", style: "white-space:pre-line"}, `${words(i)}\n${around(i).length} neighbours: ${counted(around(i))}`);
    };
    const few = graphs.every((g) => g.nodes <= 200);
    const begin = () => ({x: [], y: [], edges: []});
    const plane = strata.plane(main, begin(), {paint: () => paint("data"), hover, choose, radius: few ? 7 : 2.4, label: "The graph. Arrow keys move from node to node, plus and minus zoom, 0 shows all."});
    const legend = strata.add(main, "ul", {class: "legend", "aria-label": "Values; choose one to see it alone"});
    const control = strata.plane(side, begin(), {paint: () => paint("untrained"), hover, choose, radius: few ? 5 : 1.7, ratio: 0.8, label: "The same graph as the untrained network sees it"});
    const detail = strata.add(side, "div", {style: "margin-top:1rem", "aria-live": "polite"});

    // Places of the nodes: those of the run, or springs along the edges (d3-force), a little in each frame so that the page stays quick.
    function layout(wanted, done) {
      if (wanted.x) return done(wanted, true);
      const e = strata.unpack(wanted.edges), nodes = d3.range(wanted.nodes).map(() => ({})), links = d3.range(e.length / 2).map((k) => ({source: e[2 * k], target: e[2 * k + 1]}));
      const force = d3.forceSimulation(nodes).force("link", d3.forceLink(links).distance(22).strength(few ? 0.9 : 0.3)).force("apart", d3.forceManyBody().strength(few ? -60 : -14).theta(1.1)).force("x", d3.forceX().strength(few ? 0.02 : 0.05)).force("y", d3.forceY().strength(few ? 0.02 : 0.05)).stop();
      if (!few) force.alphaDecay(1 - Math.pow(0.001, 1 / 150));  // half the usual steps: two seconds for 3,000 nodes
      let slices = 0;
      const slice = () => {
        const until = performance.now() + (few ? 200 : 14);
        while (force.alpha() > force.alphaMin() && performance.now() < until) force.tick();
        const over = force.alpha() <= force.alphaMin();
        if (over) { wanted.x = nodes.map((n) => n.x); wanted.y = nodes.map((n) => n.y); }
        if (over || !strata.still() || ++slices % 40 === 1) done({x: nodes.map((n) => n.x), y: nodes.map((n) => n.y)}, over);
        if (!over && graph === wanted) requestAnimationFrame(slice);
      };
      slice();
    }
    function start() {
      column = graph.columns.find((c) => c.untrained && c.values) || graph.columns.find((c) => c.untrained);
      only = null;
      columnSelect.fill(graph.columns.map((c, i) => ({value: String(i), text: c.name})), graph.columns.indexOf(column));
      const edges = strata.unpack(graph.edges), mine = graph;
      layout(graph, (places) => { if (graph !== mine) return; for (const p of [plane, control]) p.show({x: places.x, y: places.y, edges}); });
      for (const p of [plane, control]) p.mark([], null);
      strata.clear(detail);
      strata.add(detail, "p", {class: "lead"}, "Point at a node to see its neighbours. Choose one to mark them.");
      show();
    }
    function show() {
      heading.textContent = column.name + (column.untrained ? ", trained" : "");
      // What the data say has no untrained side: the control stays that of what the network says.
      side.firstChild.hidden = !column.untrained;
      control.canvas.parentNode.hidden = !column.untrained;
      controlHeading.textContent = `${column.name}, untrained (control)`;
      strata.clear(legend);
      (column.values || []).forEach((text, v) => {
        const button = strata.button(strata.add(legend, "li"), "", () => { only = only === v ? null : v; for (const [i, item] of [...legend.children].entries()) item.firstChild.setAttribute("aria-pressed", only === i); plane.redraw(); control.redraw(); }, {"aria-pressed": only === v});
        strata.add(button, "i", {style: `background:${strata.valueColour(v, column.values.length)}`, "aria-hidden": "true"});
        button.appendChild(document.createTextNode(text));
      });
      plane.redraw();
      control.redraw();
      const edges = strata.unpack(graph.edges).length / 2, truth = graph.columns.find((c) => c.name === column.truth);
      const right = (which) => { const told = strata.unpack(column[which]), of = strata.unpack(truth.data); return d3.mean(d3.range(graph.nodes), (i) => (told[i] === of[i] ? 1 : 0)); };
      frame.claim(`${graph.title || "The graph"}: ${strata.count(graph.nodes)} nodes, ${strata.count(edges)} edges.` +
        (truth && column.untrained ? ` The ${column.name} is right for ${strata.percent(right("data"))} of the nodes shown; untrained for ${strata.percent(right("untrained"))}.` : "") +
        (graph.predicted != null ? ` It is of ${graph.label}; the network says ${graph.predicted}` + (graph.untrained_predicted != null ? `, before training it said ${graph.untrained_predicted}.` : ".") : "") + (column.about ? ` ${column.about}` : ""));
    }
    strata.on("theme", "graphs", () => { plane.redraw(); control.redraw(); });
    start();
    frame.notes({Scale: "Places have no unit: edges pull, nodes push. Colours are the values below the graph, or from dark to bright the numbers of the column.",
      Control: "The smaller graph, at the same places: what the network said before training. Columns that come from the data alone have none."});
  },
});
