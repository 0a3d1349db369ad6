// Tiles of the sprite sheets: each is a small canvas at its own resolution, enlarged without smoothing.
"use strict";
strata.sprites = (function () {
  const sheets = strata.data.panels.sprites || {}, images = {};

  // A sheet is one picture or, when it has very many tiles, several of `each` tiles.
  const pieces = (sheet) => sheet.images || [sheet.image];
  const each = (sheet) => sheet.each || sheet.count;

  // The decoded picture, or null if it is broken: that leaves blank tiles, not a broken page.
  function picture(name, piece) {
    const key = name + "/" + piece;
    if (!images[key]) {
      const image = new Image();
      image.src = pieces(sheets[name])[piece];
      images[key] = {image: null, ready: image.decode().then(() => { images[key].image = image; return image; }, () => { console.warn("the sprite sheet " + name + " cannot be decoded"); return null; })};
    }
    return images[key];
  }

  // Decodes every sheet that is one picture; resolves when all can be drawn. Sheets of many pictures are decoded as they are looked at.
  const load = () => Promise.all(Object.keys(sheets).filter((name) => !sheets[name].images).map((name) => picture(name, 0).ready));

  // Draws a tile at (0, 0). paint: optional function from grey 0..255 to [r, g, b] for maps.
  function draw(canvas, name, tile, paint) {
    const sheet = sheets[name];
    if (!sheet) return;
    const [height, width] = sheet.tile, piece = Math.floor(tile / each(sheet)), place = tile % each(sheet), {image, ready} = picture(name, piece);
    canvas.width = width; canvas.height = height;
    const put = (image) => {
      if (!image) return;
      const context = canvas.getContext("2d", {willReadFrequently: Boolean(paint)});
      context.drawImage(image, (place % sheet.columns) * width, Math.floor(place / sheet.columns) * height, width, height, 0, 0, width, height);
      if (!paint) return;
      const pixels = context.getImageData(0, 0, width, height);
      for (let i = 0; i < pixels.data.length; i += 4) {
        const [r, g, b] = paint(pixels.data[i]);
        pixels.data[i] = r; pixels.data[i + 1] = g; pixels.data[i + 2] = b;
      }
      context.putImageData(pixels, 0, 0);
    };
    if (image) put(image); else ready.then(put);
  }

  // A canvas of the tile, `size` CSS pixels wide, with a text for those who cannot see it.
  function tile(parent, name, index, size, text, paint) {
    const canvas = strata.add(parent, "canvas", {class: "tile", role: "img", "aria-label": text || "picture"});
    const sheet = sheets[name];
    canvas.style.width = size + "px";
    if (sheet) canvas.style.aspectRatio = sheet.tile[1] + " / " + sheet.tile[0];
    draw(canvas, name, index, paint);
    return canvas;
  }

  // Colours of a map: one hue for 0..high, two about zero for low < 0. Both are safe for the colour-blind.
  function painter(low, high) {
    const signed = low < 0, span = Math.max(Math.abs(low), Math.abs(high)) || 1;
    const table = d3.range(256).map((grey) => {
      const value = low + (high - low) * grey / 255;
      const colour = d3.rgb(signed ? d3.interpolatePuOr(0.5 - 0.5 * value / span) : d3.interpolateInferno(grey / 255));
      return [colour.r, colour.g, colour.b];
    });
    return (grey) => table[grey];
  }

  return {load, draw, tile, painter, has: (name) => Boolean(sheets[name]), size: (name) => sheets[name].tile};
})();
