"use strict";
// Numbers as people read them. Owns units and digits.

const Format = (() => {
  const UNITS = [[3600e9, "h"], [60e9, "min"], [1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
  const ERRNOS = {4: "EINTR", 9: "EBADF", 11: "EAGAIN", 13: "EACCES", 22: "EINVAL", 24: "EMFILE", 32: "EPIPE", 88: "ENOTSOCK", 95: "EOPNOTSUPP",
    98: "EADDRINUSE", 99: "EADDRNOTAVAIL", 101: "ENETUNREACH", 103: "ECONNABORTED", 104: "ECONNRESET", 105: "ENOBUFS", 106: "EISCONN",
    107: "ENOTCONN", 110: "ETIMEDOUT", 111: "ECONNREFUSED", 113: "EHOSTUNREACH", 114: "EALREADY", 115: "EINPROGRESS", 125: "ECANCELED"};
  const EVENTS = [[1, "IN"], [2, "PRI"], [4, "OUT"], [8, "ERR"], [16, "HUP"], [32, "NVAL"], [0x2000, "RDHUP"], [0x40000000, "ONESHOT"], [0x80000000, "ET"]];

  /** Return a stretch of time, e.g. 1.25 ms: three digits that count. */
  function duration(ns) {
    if (!Number.isFinite(ns)) return "–";
    const size = Math.abs(ns);
    const [unit, name] = UNITS.find(([unit]) => size >= unit && unit <= 1e9) ?? UNITS[5];
    const value = ns / unit;
    return `${size >= 1e12 ? Math.round(value) : Number(value.toPrecision(size < 1e3 && size >= 1 ? 4 : 3))} ${name}`;
  }

  /** Return a moment in seconds with as many digits as a step needs. */
  function moment(ns, step = 1e3) {
    const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10(step / 1e9))));
    return `${(ns / 1e9).toFixed(digits)} s`;
  }

  /** Return the label of a tick of the axis, in the unit that suits the distance of ticks. */
  function tick(ns, step) {
    const [unit, name] = step >= 1e8 ? [1e9, "s"] : step >= 1e5 ? [1e6, "ms"] : step >= 100 ? [1e3, "µs"] : [1, "ns"];
    const digits = Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9));
    return `${(ns / unit).toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits})} ${name}`;
  }

  const count = (number) => Math.round(number).toLocaleString("en");
  const size = (bytes) => bytes < 1e4 ? `${count(bytes)} B` : bytes < 1e7 ? `${count(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  const percent = (share) => !Number.isFinite(share) ? "–" : share > 0 && share < 0.001 ? "< 0.1 %" : `${Number((100 * share).toFixed(share < 0.1 ? 1 : 0))} %`;
  const errno = (number) => ERRNOS[number] ? `${number} ${ERRNOS[number]}` : String(number);
  const events = (mask) => EVENTS.filter(([bit]) => Math.floor(mask / bit) % 2).map(([, name]) => name).join(" | ") || String(mask);

  /** Return a figure of the comparison in its unit. */
  function figure(value, unit) {
    if (value === null || value === undefined) return "–";
    if (unit === "ns") return duration(value);
    if (unit === "share") return percent(value);
    if (unit === "bytes") return size(value);
    return count(value);
  }

  return {duration, moment, tick, count, percent, errno, events, size, figure};
})();
