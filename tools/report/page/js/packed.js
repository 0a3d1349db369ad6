// Lists of numbers as the run packed them: {"f32": base64} becomes a typed array, once; a plain list stays what it is.
"use strict";
strata.unpack = (function () {
  const kinds = {f32: Float32Array, u8: Uint8Array, u16: Uint16Array, u32: Uint32Array}, known = new WeakMap();
  return function (list) {
    if (list == null || Array.isArray(list)) return list;
    if (!known.has(list)) {
      const kind = Object.keys(list)[0], text = atob(list[kind]), bytes = new Uint8Array(text.length);
      for (let i = 0; i < bytes.length; ++i) bytes[i] = text.charCodeAt(i);
      known.set(list, new kinds[kind](bytes.buffer));
    }
    return known.get(list);
  };
})();
