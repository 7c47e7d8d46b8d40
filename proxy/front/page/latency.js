// How long requests take, by phase: quantiles of all as dots on one axis, and a table by node or by pool.

const PHASES = [
  ["wait", "In the queue for a connection"],
  ["login", "Login of a new connection"],
  ["node", "At the node"],
  ["client", "Back to the client"],
  ["request", "The whole request"],
];
const QUANTILES = [["p50_us", "50 %"], ["p95_us", "95 %"], ["p99_us", "99 %"], ["p999_us", "99.9 %"]];

class Latency {
  constructor() {
    Object.assign(this, { window: "last_minute", group: "nodes", stats: null });
    segmented(byId("latency-window"), [["last_minute", "Last minute"], ["since_start", "Since start"]], this.window, (value) => this.choose({ window: value }));
    segmented(byId("latency-group"), [["nodes", "By node"], ["pools", "By pool"]], this.group, (value) => this.choose({ group: value }));
    this.picture = svg("svg", { class: "dots-plot", role: "img" });
    byId("latency-plot").append(this.picture, el("ul", { class: "legend" }, ...QUANTILES.map(([key, label]) => el("li", null, el("span", { class: `swatch ${key}` }), label))));
    new ResizeObserver(() => this.draw()).observe(byId("latency-plot"));
    this.table = new Table(byId("latency-table"), {
      label: "latency", searchable: true, keyOf: (row) => row.key, empty: "Nothing has been measured yet.",
      columns: [
        { label: "Of", text: (row) => row.name, wide: true },
        { label: "Phase", text: (row) => row.phase },
        { label: "Count", number: true, value: (row) => row.count, text: (row) => formatCount(row.count) },
        ...QUANTILES.map(([key, label]) => ({ label, number: true, value: (row) => row[key], text: (row) => (row.count ? formatUs(row[key]) : NOTHING) })),
        { label: "Longest", number: true, value: (row) => row.max_us, text: (row) => formatUs(row.max_us) },
      ],
    });
  }

  choose(what) {
    Object.assign(this, what);
    this.draw();
  }

  show(stats) {
    this.stats = stats;
    this.draw();
  }

  draw() {
    if (!this.stats)
      return;
    this.drawDots(this.stats.latency.all);
    this.table.show(this.rows());
  }

  rows() {
    return this.stats.latency[this.group].flatMap((each) => {
      const name = this.group === "nodes" ? each.node_name : `${each.database} \u00b7 ${each.user}`;
      return PHASES.filter(([phase]) => each[phase].since_start.count > 0).map(([phase]) => ({
        key: `${each.cluster}\u0000${name}\u0000${phase}`, name, phase, max_us: each[phase].max_us, ...each[phase][this.window],
      }));
    });
  }

  drawDots(all) {
    const width = Math.max(280, byId("latency-plot").clientWidth);
    const left = 8;
    const lane = 46;
    const seen = PHASES.map(([phase]) => all[phase][this.window]).filter((times) => times.count > 0);
    const ticks = decades(10, Math.max(1000, ...seen.map((times) => times.p999_us)));
    const span = Math.log10(ticks[ticks.length - 1]) - 1;
    const x = (us) => left + (width - left - 24) * ((Math.log10(Math.max(us, 10)) - 1) / span);
    const height = PHASES.length * lane + 26;
    const marks = ticks.flatMap((tick, i) => [
      svg("line", { class: "tick", x1: x(tick), x2: x(tick), y1: 6, y2: height - 20 }),
      svg("text", { class: "small", x: x(tick), y: height - 4, "text-anchor": i === 0 ? "start" : i === ticks.length - 1 ? "end" : "middle" }, formatUs(tick)),
    ]);
    const lanes = PHASES.flatMap(([phase, label], i) => this.lane(all[phase][this.window], label, i * lane + 16, x));
    setAttributes(this.picture, { viewBox: `0 0 ${width} ${height}`, height, "aria-label": `Times of all requests. ${PHASES.map(([phase, label]) => this.inWords(label, all[phase][this.window])).join("; ")}` });
    this.picture.replaceChildren(...marks, ...lanes);
  }

  inWords(label, times) {
    return times.count ? `${label}: half within ${formatUs(times.p50_us)}, 99 % within ${formatUs(times.p99_us)}` : `${label}: nothing measured`;
  }

  lane(times, label, y, x) {
    const name = svg("text", { class: "lane-name", x: 8, y }, label);
    if (!times.count)
      return [name, svg("text", { class: "small", x: 8, y: y + 18 }, "nothing in this time")];
    return [name, svg("line", { class: "range", x1: x(times.p50_us), x2: x(times.p999_us), y1: y + 14, y2: y + 14 }),
      ...QUANTILES.map(([key, words]) => svg("circle", { class: key, cx: x(times[key]), cy: y + 14, r: key === "p50_us" ? 6 : 5 }, svg("title", null, `${label}, ${words}: ${formatUs(times[key])}`))).reverse()];
  }
}
