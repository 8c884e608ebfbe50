// Colours for runs: a few are picked by hand, so that neighbours differ for every eye; after those, hues a golden angle
// apart, in turns of three lightnesses, tell hundreds from each other.

const LIGHT = [
  "#3a57c4",
  "#c2571a",
  "#1d8a6b",
  "#a63d8f",
  "#8a6d0b",
  "#2b8fb8",
  "#b3343f",
  "#6b5bc2",
  "#5c7f1f",
  "#7a5a4a",
];
const DARK = [
  "#8fa6ff",
  "#f0955a",
  "#5cc9a7",
  "#dd86c9",
  "#d6b548",
  "#69c1e4",
  "#f0868d",
  "#ab9df5",
  "#a6cc64",
  "#c2a08e",
];
const GOLDEN_ANGLE = 137.508;

const isDark = () => document.documentElement.dataset.dark === "yes";

/** Return the colour of the run at a place among those compared. */
export function colourOf(place) {
  const dark = isDark();
  const picked = dark ? DARK : LIGHT;
  if (place < picked.length) return picked[place];
  const lightness = (dark ? [0.78, 0.68, 0.86] : [0.52, 0.62, 0.42])[place % 3];
  const hue = (place * GOLDEN_ANGLE) % 360;
  return `oklch(${lightness} ${place % 2 ? 0.13 : 0.16} ${hue.toFixed(1)})`;
}

/** Return the colour of a share between 0 and 1 of the way from low to high: one hue family, growing lighter or darker. */
export function shade(share) {
  const t = Math.max(0, Math.min(1, share));
  const lightness = isDark() ? 0.5 + 0.38 * t : 0.78 - 0.42 * t;
  return `oklch(${lightness.toFixed(3)} ${(0.1 + 0.05 * t).toFixed(3)} ${(205 + 95 * t).toFixed(1)})`;
}

/** Return a colour of the theme, for a canvas. */
export const themed = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
