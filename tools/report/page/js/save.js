// Saving and copying: a chart as an SVG file that carries its own colours, a table as text for a spreadsheet.
"use strict";
strata.saveSvg = function (svg, name) {
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
  strata.download(new Blob([new XMLSerializer().serializeToString(copy)], {type: "image/svg+xml"}), name + ".svg");
};
strata.download = function (blob, name) {
  const link = strata.add(document.body, "a", {href: URL.createObjectURL(blob), download: name});
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
// Buttons under a panel, for each of its charts.
strata.saveTools = function (frame) {
  const charts = [...frame.body.querySelectorAll("svg[role=img]")];
  charts.forEach((svg, i) => strata.button(frame.tools, charts.length > 1 ? "Save chart " + (i + 1) : "Save chart", () => strata.saveSvg(svg, frame.id + (charts.length > 1 ? "-" + (i + 1) : "")), {class: "quiet", "aria-label": "Save as SVG: " + svg.getAttribute("aria-label")}));
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
