// Where the network looked: each method's map beside the image, and the same map from the untrained network below it.
"use strict";
strata.panels.push({
  id: "attribution", of: "images", name: "Attribution", title: "Where the network looked",
  missing: () => ((strata.data.panels.attributions || []).length ? null : "no attribution was made"),
  uncontrolled: () => (strata.data.panels.attributions.some((image) => image.maps.some((map) => map.untrained != null)) ? null : "the maps of the untrained network, their control, are missing."),
  make(frame) {
    const D = strata.data, images = D.panels.attributions, label = (i) => (D.label ? D.value(D.label.name, i) : String(i));
    let current = 0, shown = "all";
    const present = Array.from(new Set(images.map((image) => image.label))).sort(d3.ascending);
    strata.select(frame.controls, "Class", [{value: "all", text: "all"}].concat(present.map((i) => ({value: String(i), text: label(i)}))), "all", (value) => {
      shown = value;
      current = images.findIndex((image) => value === "all" || String(image.label) === value);
      pickers();
      show();
    });
    const strip = strata.add(frame.body, "div", {class: "tiles", role: "group", "aria-label": "Images", style: "margin-bottom:1.25rem"});
    const box = strata.add(frame.body, "div", {class: "maps"});
    function pickers() {
      strata.clear(strip);
      images.forEach((image, i) => {
        if (shown !== "all" && String(image.label) !== shown) return;
        const pick = strata.button(strip, "", () => { current = i; for (const other of strip.children) other.setAttribute("aria-pressed", other === pick); show(); }, {class: "pick", "aria-pressed": i === current, "aria-label": `Image ${i + 1}: ${label(image.label)}`});
        strata.sprites.tile(pick, image.sprite, image.tile, 52, "");
      });
    }
    function picture(cell, map, tile, low, high, who) {
      strata.sprites.tile(cell, map.sprite, tile, 128, `${map.method}${map.layer ? " at " + map.layer : ""}, ${who}`, strata.sprites.painter(low, high));
    }
    function show() {
      strata.clear(box);
      const image = images[current], maps = image.maps.filter((map) => map.untrained != null), without = image.maps.length - maps.length;
      const first = strata.add(box, "figure", {class: "shot"}), heading = strata.add(first, "figcaption", {class: "head"});
      strata.add(heading, "b", {}, "The image");
      strata.add(heading, "span", {}, label(image.label));
      strata.sprites.tile(first, image.sprite, image.tile, 128, label(image.label));
      strata.add(first, "figcaption", {}, `the network says ${label(image.predicted)}` + (Number.isFinite(image.confidence) ? ` (${strata.percent(image.confidence)})` : "") + (image.maps.some((map) => map.area > 0) ? `; the object covers ${strata.percent(image.maps.find((map) => map.area > 0).area)}` : ""));
      for (const map of maps) {
        const figure = strata.add(box, "figure", {class: "shot"});
        const head = strata.add(figure, "figcaption", {class: "head"});
        strata.add(head, "b", {}, map.method);
        strata.add(head, "span", {}, map.layer || "on the image");
        const two = strata.add(figure, "div", {class: "two"});
        picture(two, map, map.tile, map.low, map.high, "trained");
        strata.add(two, "span", {class: "who"}, "untrained (control)");
        picture(two, map, map.untrained, map.untrained_low == null ? map.low : map.untrained_low, map.untrained_high == null ? map.high : map.untrained_high, "untrained");
        const text = strata.add(figure, "figcaption");
        strata.add(text, "div", {}, `scale ${strata.number(map.low)} to ${strata.number(map.high)}`);
        if (Number.isFinite(map.inside)) strata.add(text, "div", {}, `${strata.percent(map.inside)} inside the object`);
      }
      const scored = maps.filter((map) => Number.isFinite(map.inside) && map.area > 0);
      const best = scored.slice().sort((a, b) => b.inside / b.area - a.inside / a.area)[0];
      frame.claim(image.label === image.predicted ? (best ? `The network is right, and ${best.method}${best.layer ? " at " + best.layer : ""} puts ${strata.percent(best.inside)} of its mass inside the object, ${d3.format(".1f")(best.inside / best.area)} times the object's share of the image.` : "The network is right on this image; bright marks what moved its answer most.")
        : `The network is wrong on this image: it says ${label(image.predicted)}, the truth is ${label(image.label)}. The maps explain what it said.`);
      frame.notes({Scale: "Dark to bright from the low to the high value under each map; a signed map runs from orange (against) to purple (for). Scales differ between maps.",
        Control: "Below each map: the same method on the untrained network. A map that looks the same there says nothing about learning.",
        Steps: "Maps of the trained network and of the untrained one, whatever the time slider says.",
        "Not drawn": without ? `${without} map${without > 1 ? "s" : ""} of this image without the untrained control.` : ""});
    }
    pickers();
    show();
  },
});
