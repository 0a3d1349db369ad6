// The images as points, near when a layer finds them alike; beside it the control: raw pixels or the untrained network.
"use strict";
strata.panels.push({
  id: "embedding", name: "Map", title: "A map of the images, layer by layer",
  missing: () => (strata.data.panels.embedding && strata.data.panels.embedding.maps.length ? null : "no map was made"),
  uncontrolled: () => (strata.data.panels.embedding.maps.some((map) => map.layer === "pixels" || map.untrained) ? null : "the map of the raw pixels or of the untrained network, its control, is missing."),
  make(frame) {
    const D = strata.data, E = D.panels.embedding, factors = D.factors.filter((factor) => (E.factors || {})[factor.name]);
    const layers = E.maps.map((map) => map.layer), pixels = E.maps.find((map) => map.layer === "pixels");
    let mapLayer = layers.includes(strata.state.layer) ? strata.state.layer : layers[layers.length - 1], only = null, chosen = null;
    let factor = factors.includes(D.label) ? D.label : factors[factors.length - 1];
    const map = () => E.maps.find((m) => m.layer === mapLayer);
    // The points of the map at the step of the slider, where the run kept frames; else the final ones.
    const points = () => { const m = map(), frames = m.frames || []; return (strata.state.step < D.last && D.at(frames, strata.state.step)) || m; };
    const title = () => { const p = points(); return (mapLayer === "pixels" ? "Raw pixels" : mapLayer) + (p === map() ? "" : ` at step ${strata.count(p.step)}`); };
    const column = (f) => strata.unpack(E.factors[f.name]);
    const value = (i) => (factor ? column(factor)[i] : null);
    const size = () => (factor ? Math.max(factor.values.length, 1 + d3.max(column(factor))) : 1);
    const items = E.items || "held-out images";

    const layerSelect = strata.select(frame.controls, "Layer", layers.map((layer) => ({value: layer, text: layer})), mapLayer, (layer) => { mapLayer = layer; if (D.layers.includes(layer)) strata.set("layer", layer); show(); });
    strata.on("layer", "embedding", (layer) => { if (layers.includes(layer)) { mapLayer = layer; layerSelect.value = layer; show(); } });
    if (factors.length > 1) strata.select(frame.controls, "Colour by", factors.map((f) => ({value: f.name, text: strata.factorTitle(f)})), factor.name, (name) => { factor = D.factorByName.get(name); only = null; show(); });
    const area = strata.button(frame.controls, "Select an area", () => { const on = area.getAttribute("aria-pressed") !== "true"; area.setAttribute("aria-pressed", on); plane.select(on); }, {"aria-pressed": "false"});
    strata.button(frame.controls, "Whole map", () => plane.reset());

    const grid = strata.add(frame.body, "div", {class: "map-layout"}), main = strata.add(grid, "div"), side = strata.add(grid, "div");
    const heading = strata.add(main, "h3"), controlHeading = strata.add(side, "h3");
    const palette = () => { const n = size(); return factor ? d3.range(n).map((v) => strata.valueColour(v, n)) : ["#4477AA"]; };
    const paint = () => ({of: factor ? column(factor) : null, palette: palette(), only});
    const words = (i) => factors.map((f) => `${f.title}: ${D.value(f.name, column(f)[i])}`).join("\n");
    const thumbnail = (i, parent, px) => (E.sprite ? strata.sprites.tile(parent, E.sprite, (E.first || 0) + i, px, words(i).replace(/\n/g, ", ")) : null);
    const plane = strata.plane(main, map(), {
      paint, label: "Map of the images. Arrow keys move from point to point, plus and minus zoom, 0 shows all.",
      hover: (event, i) => strata.tip(event, i == null ? null : words(i) || "image " + i, i == null ? null : thumbnail(i, null, 72)),
      choose: (i) => { chosen = i; neighbours(); },
      area: (list) => composition(list),
    });
    const legend = strata.add(main, "ul", {class: "legend", "aria-label": "Values; choose one to see it alone"});
    const control = strata.plane(side, pixels || map().untrained, {paint, ratio: 0.8, label: "Control map"});
    const detail = strata.add(side, "div", {style: "margin-top:1rem", "aria-live": "polite"});

    function neighbours() {
      const own = strata.unpack(map().neighbours), each = own && own.length / E.count;
      const list = !own ? plane.nearest(chosen, 8) : map().neighbours === own ? own[chosen].slice(0, 8) : Array.from(own.subarray(chosen * each, (chosen + 1) * each));
      plane.mark(list, chosen);
      strata.clear(detail);
      strata.add(detail, "h3", {}, "Nearest neighbours");
      const row = strata.add(detail, "ul", {class: "tiles"}), same = factor ? list.filter((i) => value(i) === value(chosen)).length : 0;
      thumbnail(chosen, strata.add(row, "li", {style: "outline:2px solid var(--ink);border-radius:2px"}), 56);
      for (const i of list) thumbnail(i, strata.add(row, "li"), 44);
      strata.add(detail, "p", {class: "lead"}, (factor ? `${same} of ${list.length} share ${factor.title} “${D.value(factor.name, value(chosen))}” (guessing: ${strata.percent(factor.chance)}). ` : "") + (own ? "Neighbours in the layer itself, after training." : "Neighbours on the map: the run kept none of the layer itself."));
    }
    function composition(list) {
      plane.mark([], null);
      strata.clear(detail);
      strata.add(detail, "h3", {}, `${strata.count(list.length)} images in the area`);
      const row = strata.add(detail, "ul", {class: "tiles"});
      for (const i of list.slice(0, 36)) thumbnail(i, strata.add(row, "li"), 36);
      if (!factor || !list.length) return;
      const of = column(factor), counts = d3.range(size()).map((v) => ({v, n: 0}));
      for (const i of list) if (counts[of[i]]) ++counts[of[i]].n;
      counts.sort((a, b) => b.n - a.n);
      strata.add(detail, "p", {class: "lead"}, `By ${factor.title}: ` + counts.filter((d) => d.n).slice(0, 6).map((d) => `${D.value(factor.name, d.v)} ${strata.percent(d.n / list.length)}`).join(", ") + ".");
    }
    strata.on("step", "embedding", () => { if (!(map().frames || []).length) return; plane.show(points()); heading.textContent = title(); say(); });
    // What the map shows, at the step of the slider.
    function say() {
      const m = map(), p = points(), probe = factor && D.probe("trained", m.layer, factor.name, p === m ? D.last : p.step), base = factor && D.probe("pixels", "pixels", factor.name, D.last);
      frame.claim(`${strata.count(E.count)} ${items} as ${m.layer === "pixels" ? "their raw pixels see them" : m.layer + " sees them" + (p === m ? "" : ` at step ${strata.count(p.step)}`)}` + (factor ? `, coloured by ${factor.title}` + (probe != null && m.layer !== "pixels" ? `, which a linear probe reads here with ${strata.percent(probe)}` + (base != null ? ` (from raw pixels ${strata.percent(base)})` : "") : "") : "") + ".");
      frame.notes({Scale: `${E.method || "t-SNE"}; axes have no unit, only nearness means something.` + (Number.isFinite(p.trustworthiness) ? ` Trustworthiness of this map ${d3.format(".3f")(p.trustworthiness)} (1 is perfect).` : ""),
        Control: m.untrained ? "Second map: the same layer of the untrained network." : "Second map: the raw pixels, what the images offer without any network.",
        Steps: (m.frames || []).length ? "The map of a step starts from that of the step before and is turned to lie on it, so that points can be followed; neighbours are those of the trained layer." : ""});
    }
    function show() {
      const m = map();
      plane.show(points());
      plane.mark([], null);
      chosen = null;
      control.show(m.untrained || pixels || E.maps.find((other) => other.untrained).untrained);
      heading.textContent = title();
      controlHeading.textContent = m.untrained ? `${m.layer}, untrained (control)` : "Raw pixels (control)";
      strata.clear(legend);
      if (factor) d3.range(size()).forEach((v) => {
        const button = strata.button(strata.add(legend, "li"), "", () => { only = only === v ? null : v; for (const [i, item] of [...legend.children].entries()) item.firstChild.setAttribute("aria-pressed", only === i); plane.redraw(); control.redraw(); }, {"aria-pressed": only === v});
        strata.add(button, "i", {style: `background:${strata.valueColour(v, size())}`, "aria-hidden": "true"});
        button.appendChild(document.createTextNode(D.value(factor.name, v)));
      });
      plane.redraw();
      control.redraw();
      strata.clear(detail);
      strata.add(detail, "p", {class: "lead"}, "Point at a dot to see its image. Choose one to see its nearest neighbours.");
      say();
    }
    strata.on("theme", "embedding", () => { plane.redraw(); control.redraw(); });
    show();
  },
});
