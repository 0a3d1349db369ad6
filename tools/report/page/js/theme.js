// Light or dark: the system's choice until the reader makes one. The choice is kept for this page only, nothing is stored.
"use strict";
strata.theme = function (button) {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = theme === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", theme === "dark" ? "Switch to light" : "Switch to dark");
    strata.set("theme", theme);
  };
  let own = false;
  system.addEventListener("change", () => { if (!own) apply(system.matches ? "dark" : "light"); });
  button.addEventListener("click", () => { own = true; apply(strata.state.theme === "dark" ? "light" : "dark"); });
  // Paper is light whatever the screen is.
  let before = null;
  window.addEventListener("beforeprint", () => { before = strata.state.theme; apply("light"); });
  window.addEventListener("afterprint", () => { if (before) apply(before); });
  apply(system.matches ? "dark" : "light");
};
