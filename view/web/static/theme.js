// Which look the page has, decided before anything is drawn: a classic script, because modules run too late for that.
// "light" and "dark" are what somebody chose; without a choice the system's preference holds (see css/theme.css).
(function () {
  "use strict";
  const KEY = "guild.theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function apply() {
    document.documentElement.dataset.dark = window.guildTheme.isDark() ? "yes" : "no";
    window.dispatchEvent(new Event("guild-theme"));
  }

  window.guildTheme = {
    isDark() {
      const choice = chosen();
      return choice === "dark" || (choice !== "light" && system.matches);
    },
    toggle() {
      const next = this.isDark() ? "light" : "dark";
      try {
        localStorage.setItem(KEY, next);
      } catch {
        /* a browser that keeps nothing follows the system */
      }
      apply();
      return next;
    },
  };
  system.addEventListener("change", apply);
  apply();
})();
