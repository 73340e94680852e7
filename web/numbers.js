// Times and numbers as people read them.

import { locale } from "./i18n.js";

export function clockText(seconds) {
  const whole = Math.floor(seconds || 0);
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function percent(share) {
  return new Intl.NumberFormat(locale(), { style: "percent" }).format(Math.max(0, Math.min(1, share)));
}

export function number(value) {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

// One unit is enough for a glance: 45 s, 12 min, 3.5 h, 9 d.
export function span(seconds) {
  const [size, unit] = seconds < 90 ? [1, "second"] : seconds < 5400 ? [60, "minute"] :
    seconds < 172800 ? [3600, "hour"] : [86400, "day"];
  const value = seconds / size;
  return new Intl.NumberFormat(locale(), {
    style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 10 && size > 1 ? 1 : 0,
  }).format(value);
}
