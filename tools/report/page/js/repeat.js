// How to make this page again, and what its words mean.
"use strict";
strata.panels.push({
  id: "repeat", name: "Repeat", title: "How to repeat this",
  missing: () => null, uncontrolled: () => null,
  make(frame) {
    const D = strata.data, config = D.config, data = config.data || {}, model = config.model || {};
    frame.claim(config.command ? "This command makes the same run: the same seed gives the same data, the same first weights and the same order of images." : "The run did not record its command.");
    if (config.command) {
      strata.add(frame.body, "pre", {tabindex: "0", "aria-label": "Command"}, config.command);
      const copy = strata.button(frame.body, "Copy command", () => strata.copy(config.command, copy));
    }
    const facts = strata.add(frame.body, "dl", {class: "facts"});
    const fact = (name, text) => { if (text == null || text === "") return; const cell = strata.add(facts, "div"); strata.add(cell, "dt", {}, name); strata.add(cell, "dd", {}, String(text)); };
    const inWords = (object) => Object.entries(object || {}).map(([key, value]) => `${key.replace(/_/g, " ")} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
    fact("Seed", config.seed);
    fact("Data", [data.name, Number.isFinite(data.train) ? `${strata.count(data.train)} training` : null, Number.isFinite(data.validation) ? `${strata.count(data.validation)} validation` : null, Number.isFinite(data.test) ? `${strata.count(data.test)} test images` : null, data.image ? data.image.join(" × ") : null, data.note].filter(Boolean).join(", "));
    fact("Network", [model.name, Number.isFinite(model.parameters) ? strata.count(model.parameters) + " parameters" : null, D.layers.length + " layers studied"].filter(Boolean).join(", "));
    fact("Training", inWords(config.training));
    fact("Device", [config.device, config.threads ? config.threads + " threads" : null].filter(Boolean).join(", "));
    fact("Versions", inWords(config.versions));
    fact("Started", config.started);
    if (D.dropped) fact("Log", "the last line of metrics.jsonl was cut short and left out");
    const layers = (model.layers || []).filter((layer) => layer.shape || layer.kind || layer.receptive_field);
    if (layers.length) {
      strata.add(frame.body, "h3", {}, "Layers");
      const table = strata.add(strata.add(frame.body, "div", {class: "scroll"}), "table"), head = strata.add(strata.add(table, "thead"), "tr"), body = strata.add(table, "tbody");
      const columns = [["kind", (layer) => layer.kind], ["shape", (layer) => (layer.shape || []).join(" × ")], ["sees (pixels)", (layer) => layer.receptive_field]].filter(([, of]) => layers.some((layer) => of(layer)));
      for (const name of ["layer"].concat(columns.map(([title]) => title))) strata.add(head, "th", {scope: "col"}, name);
      for (const layer of layers) {
        const row = strata.add(body, "tr");
        strata.add(row, "th", {scope: "row"}, layer.name);
        for (const [, of] of columns) strata.add(row, "td", {}, of(layer) == null ? "" : of(layer));
      }
      const copy = strata.button(frame.body, "Copy table", () => strata.copy([...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent).join("\t")).join("\n"), copy), {class: "quiet", "aria-label": "Copy the table of layers"});
    }
    strata.add(frame.body, "h3", {id: "words", style: "margin-top:1.5rem"}, "What the words mean");
    const words = strata.add(frame.body, "dl", {class: "words"});
    for (const [word, meaning] of Object.entries(strata.definitions)) { const cell = strata.add(words, "div", {id: strata.anchor(word)}); strata.add(cell, "dt", {}, word); strata.add(cell, "dd", {}, meaning); }
  },
});
