// Sounds that can be heard: spectrogram, and below it on the same time axis what moved the network's answer, with the control.
"use strict";
strata.panels.push({
  id: "audio", of: "sound", name: "Sound", title: "What was heard",
  missing: () => (((strata.data.panels.audio || {}).sounds || []).length ? null : "no sound was kept"),
  uncontrolled: () => (strata.data.panels.audio.sounds.every((sound) => sound.maps.length && sound.maps.every((map) => map.untrained != null)) ? null : "the maps of the untrained network, their control, are missing."),
  make(frame) {
    const A = strata.data.panels.audio, sounds = A.sounds;
    let sound = sounds[0], marks = [];
    const select = strata.select(frame.controls, "Sound", sounds.map((s, i) => ({value: String(i), text: s.title})), "0", (value) => { sound = sounds[+value]; show(); });
    const move = (by) => { select.value = String((sounds.indexOf(sound) + by + sounds.length) % sounds.length); sound = sounds[+select.value]; show(); };
    strata.button(frame.controls, "← Previous", () => move(-1), {"aria-label": "Previous sound"});
    strata.button(frame.controls, "Next →", () => move(1), {"aria-label": "Next sound"});
    const player = strata.add(frame.body, "audio", {controls: "", preload: "auto"}), words = strata.add(frame.body, "p", {class: "lead", "aria-live": "polite"});
    const rows = strata.add(frame.body, "div", {class: "spectra"});

    const where = () => { for (const mark of marks) mark.style.left = `${100 * Math.min(1, player.currentTime / sound.seconds)}%`; };
    const follow = () => { where(); if (!player.paused) requestAnimationFrame(follow); };
    player.addEventListener("play", follow);
    player.addEventListener("timeupdate", where);
    player.addEventListener("seeked", where);

    // One map over time: frequency upwards, its colour scale in words below it.
    function row(title, sprite, tile, low, high, label) {
      const figure = strata.add(rows, "figure", {class: "shot"});
      strata.add(strata.add(figure, "figcaption", {class: "head"}), "b", {}, title);
      const holder = strata.add(figure, "div", {class: "spectrum"}), canvas = strata.sprites.tile(holder, sprite, tile, 1, label, strata.sprites.painter(0, 1));
      canvas.style.cssText = "width:100%;height:7.5rem";
      marks.push(strata.add(holder, "div", {class: "playhead", "aria-hidden": "true"}));
      canvas.addEventListener("click", (event) => { const r = canvas.getBoundingClientRect(); player.currentTime = (event.clientX - r.left) / r.width * sound.seconds; });
      canvas.addEventListener("pointermove", (event) => {
        const r = canvas.getBoundingClientRect(), bands = canvas.height, band = bands - 1 - Math.floor((event.clientY - r.top) / r.height * bands);
        strata.tip(event, `${d3.format(".2f")((event.clientX - r.left) / r.width * sound.seconds)} s, ${A.frequencies ? d3.format(",.0f")(A.frequencies[Math.max(0, Math.min(bands - 1, band))]) + " Hz" : `band ${band + 1}`}`);
      });
      canvas.addEventListener("pointerleave", () => strata.tip());
      const axis = strata.add(figure, "div", {class: "time-axis", "aria-hidden": "true"});
      for (const part of [0, 0.25, 0.5, 0.75, 1]) strata.add(axis, "span", {}, d3.format(".2~f")(part * sound.seconds) + " s");
      strata.add(figure, "figcaption", {}, `scale ${strata.number(low)} to ${strata.number(high)}`);
    }
    // How strongly a layer answers over time, with the untrained network dashed.
    function activity({layer, values, untrained}) {
      const figure = strata.add(rows, "figure", {class: "shot"}), lists = [untrained, values].map(strata.unpack);
      strata.add(strata.add(figure, "figcaption", {class: "head"}), "b", {}, `Activity of ${layer}`);
      const holder = strata.add(figure, "div", {class: "spectrum"});
      marks.push(strata.add(holder, "div", {class: "playhead", "aria-hidden": "true"}));
      strata.chart(holder, `Activity of ${layer} over time, trained and untrained`, (svg, width) => {
        const height = 80, high = d3.max(lists, (list) => d3.max(list)) || 1, y = d3.scaleLinear().domain([0, high]).range([height, 4]);
        svg.attr("height", height);
        lists.forEach((list, i) => {
          const x = (k) => (k + 0.5) / list.length * width, line = d3.line().x((v, k) => x(k)).y((v) => y(v)).defined(Number.isFinite);
          svg.append("path").attr("class", i ? "trained" : "untrained").attr("d", line(Array.from(list))).style("stroke", i ? "var(--accent)" : null);
        });
      });
      strata.add(figure, "figcaption", {}, `0 to ${strata.number(d3.max(lists, (list) => d3.max(list)))}; dashed: untrained (control)`);
    }
    function show() {
      player.pause();
      player.src = sound.wav;
      player.setAttribute("aria-label", sound.title);
      strata.clear(rows);
      marks = [];
      row("Log-mel spectrogram", sound.spectrogram.sprite, sound.spectrogram.tile, sound.spectrogram.low, sound.spectrogram.high, `Spectrogram of ${sound.title}`);
      for (const map of sound.maps) {
        row(map.method, map.sprite, map.tile, map.low, map.high, `${map.method} of ${sound.title}, trained network`);
        row(`${map.method}, untrained (control)`, map.sprite, map.untrained, map.untrained_low == null ? map.low : map.untrained_low, map.untrained_high == null ? map.high : map.untrained_high, `${map.method} of ${sound.title}, untrained network`);
      }
      if (sound.activity && sound.activity.untrained) activity(sound.activity);
      words.textContent = (sound.label == null ? "" : `It is “${sound.label}”. `) + `The network says “${sound.predicted}”` + (Number.isFinite(sound.confidence) ? ` (${strata.percent(sound.confidence)})` : "") + (sound.untrained_predicted == null ? "." : `, before training it said “${sound.untrained_predicted}”.`);
      const told = sounds.filter((s) => s.label != null && s.label === s.predicted).length, before = sounds.filter((s) => s.label != null && s.label === s.untrained_predicted).length;
      frame.claim((sounds.some((s) => s.label != null) ? `Of these ${sounds.length} held-out sounds the network tells ${told}, the untrained one ${before}. ` : "") + "Play one: the line moves over what the network sees and over what moves its answer.");
      where();
      strata.saveTools(frame);
    }
    show();
    frame.notes({Scale: `Left to right: time. Bottom to top: ${A.frequencies ? `mel bands from ${strata.count(Math.round(A.frequencies[0]))} to ${strata.count(Math.round(A.frequencies[A.frequencies.length - 1]))} Hz` : "mel bands, low to high"}. ${A.scale || "Dark to bright from the low to the high value under each picture."}`,
      Control: "Each map is shown for the untrained network as well, on the same sound. A map that looks the same there says nothing about learning."});
  },
});
