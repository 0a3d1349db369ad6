// Attention: which tokens each token looks at, by layer and head; beside it the same of the untrained network.
"use strict";
strata.panels.push({
  id: "attention", of: "text", name: "Attention", title: "Where each token looks",
  missing: () => (((strata.data.panels.attention || {}).layers || []).length ? null : "no attention was recorded"),
  uncontrolled: () => (strata.data.panels.attention.layers.every((layer) => layer.untrained) ? null : "the patterns of the untrained network, their control, are missing."),
  make(frame) {
    const A = strata.data.panels.attention, tokens = A.tokens, n = tokens.length, T = strata.tokens, words = A.unit === "word";
    let layer = A.layers[A.layers.length - 1], head = 0, query = n - 1;
    strata.select(frame.controls, "Layer", A.layers.map((l, i) => ({value: String(i), text: l.layer})), String(A.layers.length - 1), (value) => { layer = A.layers[+value]; head = Math.min(head, layer.heads - 1); heads(); show(); });
    const headSelect = strata.select(frame.controls, "Head", [], "", (value) => { head = +value; pressed(); show(); });
    const share = (which, h, q, k) => strata.unpack(layer[which])[(h * n + q) * n + k];
    const ramp = () => d3.interpolateRgb(...(strata.dark() ? ["#14171b", "#78bcf5"] : ["#fdfdfb", "#0a3f6e"]));

    const strip = strata.add(frame.body, "div", {class: "tiles heads", role: "group", "aria-label": "Heads of the layer"});
    const grid = strata.add(frame.body, "div", {class: "pair"});
    const cell = (title) => { const box = strata.add(grid, "div"); strata.add(box, "h3", {}, title); return box; };
    const boxes = {pattern: cell("Trained"), untrained: cell("Untrained (control)")};
    const plots = {}, lines = {};
    for (const [which, box] of Object.entries(boxes)) {
      const holder = strata.add(box, "div", {class: "pattern", style: `max-width:${Math.max(14, Math.min(30, 1.5 * n))}rem`});
      const canvas = strata.add(holder, "canvas", {class: "tile", role: "img", "aria-label": `Attention pattern of the ${which === "pattern" ? "trained" : "untrained"} network: a row for each token that looks, a column for each that is looked at`});
      canvas.style.width = "100%";
      const row = strata.add(holder, "div", {class: "row-mark", "aria-hidden": "true"});
      const at = (event) => { const r = canvas.getBoundingClientRect(); return [Math.floor((event.clientY - r.top) / r.height * n), Math.floor((event.clientX - r.left) / r.width * n)].map((v) => Math.max(0, Math.min(n - 1, v))); };
      canvas.addEventListener("pointermove", (event) => { const [q, k] = at(event); strata.tip(event, `“${T.shown(tokens[q])}” (${q + 1}) looks at “${T.shown(tokens[k])}” (${k + 1})\n${strata.percent(share(which, head, q, k))} of its attention`); });
      canvas.addEventListener("pointerleave", () => strata.tip());
      canvas.addEventListener("click", (event) => { query = at(event)[0]; show(); });
      plots[which] = {canvas, row};
      lines[which] = T.line(box, tokens, words, which === "pattern" ? "Choose the token that looks; those it looks at are coloured. Arrow keys choose." : "The same of the untrained network", {
        hover: (k) => `“${T.shown(tokens[query])}” gives “${T.shown(tokens[k])}” ${strata.percent(share(which, head, query, k))}`,
        choose: (i) => { query = i; show(); },
      });
    }
    // The pattern as a picture of n by n pixels. The square root of the share, so that what is spread thin is seen as well.
    function draw(canvas, which, h) {
      canvas.width = canvas.height = n;
      const context = canvas.getContext("2d"), pixels = context.createImageData(n, n), colour = ramp();
      const table = d3.range(101).map((i) => d3.rgb(colour(i / 100))), list = strata.unpack(layer[which]);
      for (let i = 0; i < n * n; ++i) {
        const c = table[Math.round(100 * Math.sqrt(Math.max(0, Math.min(1, list[h * n * n + i]))))];
        pixels.data.set([c.r, c.g, c.b, 255], 4 * i);
      }
      context.putImageData(pixels, 0, 0);
    }
    const pressed = () => { headSelect.value = String(head); [...strip.children].forEach((pick, h) => pick.setAttribute("aria-pressed", h === head)); };
    function heads() {
      headSelect.fill(d3.range(layer.heads).map((h) => ({value: String(h), text: String(h + 1)})), head);
      strata.clear(strip);
      for (let h = 0; h < layer.heads; ++h) {
        const pick = strata.button(strip, "", () => { head = h; pressed(); show(); }, {class: "pick", "aria-label": `Head ${h + 1}`});
        const canvas = strata.add(pick, "canvas", {class: "tile"});
        canvas.style.width = "56px";
        draw(canvas, "pattern", h);
      }
      pressed();
    }
    function show() {
      for (const which of Object.keys(boxes)) {
        draw(plots[which].canvas, which, head);
        plots[which].row.style.top = `${100 * query / n}%`;
        plots[which].row.style.height = `${100 / n}%`;
        const colour = ramp();
        lines[which].paint((k) => { const s = share(which, head, query, k); return s > 0 ? d3.color(colour(0.75 * Math.sqrt(s))).toString() : null; });
        lines[which].spans.forEach((span, k) => { span.style.color = Math.sqrt(share(which, head, query, k)) > 0.6 ? (strata.dark() ? "#14171b" : "#fff") : ""; });
        lines[which].mark(query);
      }
      const order = (which) => d3.range(n).sort((a, b) => share(which, head, query, b) - share(which, head, query, a));
      const entropy = (which) => d3.sum(d3.range(n), (k) => { const s = share(which, head, query, k); return s > 0 ? -s * Math.log(s) : 0; });
      const best = order("pattern").slice(0, 3).filter((k) => share("pattern", head, query, k) > 0.005);
      frame.claim(`Head ${head + 1} of ${layer.layer}: “${T.shown(tokens[query])}” (${A.unit || "token"} ${query + 1}) looks at ${strata.list(best.map((k) => `“${T.shown(tokens[k])}” ${query === k ? "(itself) " : query > k ? `(${query - k} back) ` : `(${k - query} ahead) `}with ${strata.percent(share("pattern", head, query, k))}`))}. As spread as over ${strata.number(Math.exp(entropy("pattern")))} tokens alike; untrained ${strata.number(Math.exp(entropy("untrained")))}.`);
    }
    strata.on("theme", "attention", () => { heads(); show(); });
    heads();
    show();
    frame.notes({Scale: "A row is a token that looks, a column one that is looked at; each row adds up to 100%. Colour follows the square root of the share." + (A.causal ? " Right of the diagonal is empty: nothing looks ahead." : ""),
      Control: "The same head of the untrained network: mostly even, or tied to places at random. What a head looks at is not yet what it uses."});
  },
});
