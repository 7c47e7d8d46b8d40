// Numbers in words. Nothing known is a dash.

const NOTHING = "\u2013";
const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

function digits(value) {
  if (value >= 100 || Number.isInteger(value))
    return String(Math.round(value));
  return value >= 10 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(2).replace(/\.?0+$/, "");
}

// 950, 12.3k, 4.5M
function formatCount(value) {
  if (!known(value))
    return NOTHING;
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]])
    if (Math.abs(value) >= size)
      return digits(value / (unit === "k" ? 1e3 : size)) + unit;
  return Math.abs(value) >= 100 ? String(Math.round(value)) : digits(value);
}

function formatRate(value) {
  return known(value) ? `${formatCount(value)}/s` : NOTHING;
}

function formatUs(us) {
  if (!known(us))
    return NOTHING;
  if (us === 0)
    return "0";
  if (us < 1000)
    return `${digits(us)} \u00b5s`;
  if (us < 1e6)
    return `${digits(us / 1e3)} ms`;
  return formatSeconds(us / 1e6);
}

function formatSeconds(seconds) {
  if (!known(seconds))
    return NOTHING;
  if (seconds < 120)
    return `${digits(seconds < 10 ? seconds : Math.round(seconds))} s`;
  const units = [[86400, "d"], [3600, "h"], [60, "min"]];
  const at = units.findIndex(([size]) => seconds >= size);
  const [size, unit] = units[at];
  const rest = units[at + 1];
  const more = rest ? Math.floor((seconds % size) / rest[0]) : 0;
  return `${Math.floor(seconds / size)} ${unit}${more ? ` ${more} ${rest[1]}` : ""}`;
}

function formatBytes(bytes) {
  if (!known(bytes))
    return NOTHING;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (bytes >= 1024 && at < units.length - 1) {
    bytes /= 1024;
    at++;
  }
  return `${digits(bytes)} ${units[at]}`;
}

function formatClock(ms, withSeconds) {
  return new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: withSeconds ? "2-digit" : undefined, hour12: false });
}

function formatDay(ms) {
  return new Date(ms).toLocaleDateString([], { year: "numeric", month: "short", day: "numeric" });
}

// "replica, 12 ms and 16 kB behind"
function formatLag(node) {
  if (node.lag_ms === null && node.lag_bytes === null)
    return NOTHING;
  const ms = node.lag_ms === null ? "?" : formatUs(node.lag_ms * 1000);
  return node.lag_bytes ? `${ms} \u00b7 ${formatBytes(node.lag_bytes)}` : ms;
}

// One that fits into `width` pixels of a font of that size, as nearly as can be told without measuring.
function clip(text, width, size) {
  const room = Math.max(1, Math.floor(width / (size * 0.56)));
  return text.length > room ? `${text.slice(0, room - 1)}\u2026` : text;
}
