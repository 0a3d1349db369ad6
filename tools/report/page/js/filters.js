// The weights of the first layer as pictures, and the random weights they grew from.
"use strict";
strata.panels.push({
  id: "filters", of: "images", name: "Filters", title: "First-layer filters",
  missing: () => (strata.data.panels.filters ? null : "the filters of the first layer were not drawn"),
  uncontrolled: () => (strata.data.panels.filters.untrained ? null : "the filters of the untrained network, their control, are missing."),
  make(frame) {
    const filters = strata.data.panels.filters, D = strata.data, frames = (filters.frames || []).slice().sort((a, b) => a.step - b.step);
    const [height, width] = strata.sprites.size(filters.sprite), size = Math.max(40, Math.min(64, 8 * Math.max(height, width)));
    function sheet(title, source) {
      const heading = strata.add(frame.body, "h3", {}, title), list = strata.add(frame.body, "ul", {class: "tiles", style: "margin-bottom:1.1rem"});
      const tiles = d3.range(filters.count).map((i) => strata.sprites.tile(strata.add(list, "li"), source.sprite, source.first + i, size, `${title}, filter ${i} of ${filters.layer}`));
      return {heading, show: (next) => tiles.forEach((canvas, i) => strata.sprites.draw(canvas, next.sprite, next.first + i))};
    }
    const now = sheet(`${filters.layer}, trained`, {sprite: filters.sprite, first: filters.first || 0});
    sheet(`${filters.layer}, untrained (control)`, {sprite: filters.untrained.sprite, first: filters.untrained.first || 0});
    strata.on("step", "filters", (step) => {
      const frameNow = D.at(frames, step);
      const final = !frames.length || step >= D.last || !frameNow;
      now.show(final ? {sprite: filters.sprite, first: filters.first || 0} : frameNow);
      now.heading.textContent = final ? `${filters.layer}, trained` : `${filters.layer} at step ${strata.count(frameNow.step)}`;
    });
    frame.claim(`The ${filters.count} filters of ${filters.layer}, which see ${height} by ${width} pixels each, after training and before.` + (frames.length ? " Move the time slider to watch them grow." : ""));
    frame.notes({Scale: filters.scale || "each filter from its own minimum (dark) to its maximum (light)", Control: "Below: the random weights that the same filters started from, on the same scale."});
  },
});
