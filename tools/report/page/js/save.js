// Saving and copying: a chart as an SVG file that carries its own colours, a table as text for a spreadsheet.
"use strict";
strata.svgText = function (svg) {
  const copy = svg.cloneNode(true), names = ["class", "style"];
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const from = [svg, ...svg.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
  const wanted = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "opacity", "font-family", "font-size", "font-weight", "paint-order"];
  from.forEach((node, i) => {
    const computed = getComputedStyle(node), style = wanted.map((key) => key + ":" + computed.getPropertyValue(key)).join(";");
    for (const key of names) to[i].removeAttribute(key);
    to[i].setAttribute("style", style);
  });
  copy.style.background = getComputedStyle(document.body).backgroundColor;
  return new XMLSerializer().serializeToString(copy);
};
strata.saveSvg = (svg, name) => strata.download(new Blob([strata.svgText(svg)], {type: "image/svg+xml"}), name + ".svg");
// A part of the page as it stands, as a PNG at twice the resolution: its tiles, its charts and the words between them.
strata.savePicture = async function (box, name) {
  const at = box.getBoundingClientRect(), scale = 2, picture = document.createElement("canvas"), context = picture.getContext("2d");
  const put = (image, node) => { const r = node.getBoundingClientRect(); if (r.width && r.height) context.drawImage(image, r.left - at.left, r.top - at.top, r.width, r.height); };
  picture.width = Math.ceil(at.width * scale);
  picture.height = Math.ceil(at.height * scale);
  context.scale(scale, scale);
  context.fillStyle = getComputedStyle(document.body).backgroundColor;
  context.fillRect(0, 0, at.width, at.height);
  context.imageSmoothingEnabled = false;
  for (const canvas of box.querySelectorAll("canvas")) put(canvas, canvas);
  for (const svg of box.querySelectorAll("svg")) {
    if (svg.closest(".brush") || !svg.getBoundingClientRect().width) continue;
    const image = new Image();
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(strata.svgText(svg));
    await image.decode();
    put(image, svg);
  }
  context.textBaseline = "middle";
  const texts = document.createTreeWalker(box, NodeFilter.SHOW_TEXT), range = document.createRange();
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const style = getComputedStyle(text.parentNode);
    if (text.parentNode.closest("svg, select, .quiet")) continue;
    context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    context.fillStyle = style.color;
    for (const word of text.data.matchAll(/\S+/g)) {
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const r = range.getBoundingClientRect();
      if (r.width) context.fillText(word[0], r.left - at.left, r.top - at.top + r.height / 2);
    }
  }
  picture.toBlob((blob) => strata.download(blob, name + ".png"), "image/png");
};
strata.download = function (blob, name) {
  const link = strata.add(document.body, "a", {href: URL.createObjectURL(blob), download: name});
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
// Buttons under a panel: one for each of its charts, and one for the whole where it has pictures. A panel whose charts change calls this again.
strata.saveTools = function (frame) {
  strata.clear(frame.tools);
  const charts = [...frame.body.querySelectorAll("svg[role=img]")];
  charts.forEach((svg, i) => strata.button(frame.tools, charts.length > 1 ? "Save chart " + (i + 1) : "Save chart", () => strata.saveSvg(svg, frame.id + (charts.length > 1 ? "-" + (i + 1) : "")), {class: "quiet", "aria-label": "Save as SVG: " + svg.getAttribute("aria-label")}));
  if (frame.body.querySelector("canvas")) strata.button(frame.tools, "Save picture", () => strata.savePicture(frame.body, frame.id), {class: "quiet", "aria-label": "Save the panel as PNG: " + frame.title});
};
// Copies a text and says so on the button. The old way is for browsers that keep the clipboard from files.
strata.copy = function (text, button) {
  const done = (ok) => { const was = button.textContent; button.textContent = ok ? "Copied" : "Select the text and copy it"; setTimeout(() => { button.textContent = was; }, 1600); };
  const old = () => {
    const area = strata.add(document.body, "textarea", {style: "position:fixed;opacity:0"});
    area.value = text;
    area.select();
    const ok = document.execCommand("copy");
    area.remove();
    return ok;
  };
  if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(text).then(() => done(true), () => done(old()));
  else done(old());
};
