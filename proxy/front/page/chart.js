// A chart of lines over the last ten minutes, with the events that matter as marks, and the numbers under the pointer.

const CHART_HEIGHT = 190;
// While less is known, less is shown.
const SPANS_MS = [60000, 120000, 300000];
const STEPS_MS = [10000, 20000, 30000, 60000, 120000, 300000];
const PAD = { left: 52, right: 12, top: 12, bottom: 24 };

// 0, and some round numbers up to one that is not below `max`.
function ticksUpTo(max) {
  const step0 = Math.max(max, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(step0));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= step0 * 0.999);
  const whole = Math.max(step, step0 < 1 ? 1 : step);
  const ticks = [];
  for (let at = 0; at === 0 || ticks[ticks.length - 1] < max; at++)
    ticks.push(at * whole);
  return ticks;
}

function decades(min, max) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(Math.max(min, 1))); ; power++) {
    ticks.push(10 ** power);
    if (10 ** power >= max && ticks.length > 1)
      return ticks;
  }
}

class Chart {
  // lines: [{key, label, name}] where `name` is a class for the colour
  constructor(host, { title, hint, lines, format, log }) {
    Object.assign(this, { lines, format, log, title, hover: null });
    this.legend = el("ul", { class: "legend" });
    this.values = lines.map((line) => el("strong"));
    this.legend.append(...lines.map((line, i) => el("li", null, el("span", { class: `swatch ${line.name}`, "aria-hidden": "true" }), line.label, " ", this.values[i])));
    this.picture = svg("svg", { class: "plot", role: "img", tabindex: "0" });
    this.tip = el("div", { class: "tip", hidden: true });
    this.grid = svg("g", { class: "grid" });
    this.marks = svg("g", { class: "marks" });
    this.area = svg("path", { class: `area ${lines[0].name}` });
    this.paths = lines.map((line) => svg("path", { class: `line ${line.name}` }));
    this.cursor = svg("line", { class: "cursor", visibility: "hidden" });
    this.picture.append(this.grid, this.area, this.marks, ...this.paths, this.cursor);
    this.frame = el("figure", { class: "card chart" },
      el("figcaption", null, el("h2", null, title), el("p", { class: "hint" }, hint)), this.legend,
      el("div", { class: "plot-frame" }, this.picture, this.tip));
    host.append(this.frame);
    this.listen();
  }

  listen() {
    new ResizeObserver(() => this.rows && this.draw(this.rows, this.events)).observe(this.picture);
    this.picture.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.picture.addEventListener("pointerleave", () => this.point(null));
    this.picture.addEventListener("blur", () => this.point(null));
    this.picture.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !this.rows || this.rows.length === 0)
        return;
      event.preventDefault();
      const at = this.hover === null ? this.rows.length - 1 : this.hover + step;
      this.show(Math.min(this.rows.length - 1, Math.max(0, at)));
    });
  }

  // Where times and values are.
  scale() {
    const width = this.picture.clientWidth || 600;
    const age = this.rows.length ? this.rows[this.rows.length - 1].t - this.rows[0].t : 0;
    const span = SPANS_MS.find((each) => each >= age) || SPAN_MS;
    const last = this.rows.length ? this.rows[this.rows.length - 1].t : Date.now();
    const all = this.rows.flatMap((row) => this.lines.map((line) => row[line.key])).filter(known);
    const max = Math.max(...all, this.log ? 10 : 1);
    const ticks = this.log ? decades(Math.min(...all, max), max) : ticksUpTo(max);
    const [low, high] = [ticks[0], ticks[ticks.length - 1]];
    const inner = { w: width - PAD.left - PAD.right, h: CHART_HEIGHT - PAD.top - PAD.bottom };
    const share = this.log ? (v) => (Math.log10(Math.max(v, low)) - Math.log10(low)) / (Math.log10(high) - Math.log10(low)) : (v) => v / high;
    return {
      width, ticks, last, span,
      x: (t) => PAD.left + inner.w * (1 - (last - t) / span),
      y: (v) => PAD.top + inner.h * (1 - share(v)),
    };
  }

  draw(rows, events) {
    this.rows = rows;
    this.events = events;
    this.at = this.scale();
    setAttributes(this.picture, { viewBox: `0 0 ${this.at.width} ${CHART_HEIGHT}` });
    this.drawGrid();
    this.drawMarks();
    this.lines.forEach((line, i) => this.paths[i].setAttribute("d", this.path(line.key)));
    this.area.setAttribute("d", this.log ? "" : this.path(this.lines[0].key, this.at.y(0)));
    const now = rows[rows.length - 1] || {};
    this.lines.forEach((line, i) => setText(this.values[i], this.format(now[line.key])));
    this.picture.setAttribute("aria-label", `${this.title}, the last ten minutes. Now: ${this.lines.map((line) => `${line.label} ${this.format(now[line.key])}`).join(", ")}`);
    if (this.hover !== null)
      this.show(Math.min(this.hover, rows.length - 1));
  }

  // Broken where nothing is known; down to `base` when it is an area.
  path(key, base) {
    const parts = [];
    let run = [];
    const end = () => {
      if (run.length > 0)
        parts.push(`M${run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}` +
          (base === undefined ? "" : `L${run[run.length - 1][0].toFixed(1)} ${base}L${run[0][0].toFixed(1)} ${base}Z`));
      run = [];
    };
    for (const row of this.rows) {
      if (known(row[key]))
        run.push([this.at.x(row.t), this.at.y(row[key])]);
      else
        end();
    }
    end();
    return parts.join("");
  }

  drawGrid() {
    const { ticks, x, y, width, last, span } = this.at;
    const lines = ticks.flatMap((tick) => [
      svg("line", { x1: PAD.left, x2: width - PAD.right, y1: y(tick), y2: y(tick) }),
      svg("text", { x: PAD.left - 8, y: y(tick) + 4, "text-anchor": "end" }, this.format(tick)),
    ]);
    const step = STEPS_MS.find((each) => span / each <= (width < 420 ? 3 : 6));
    for (let t = Math.ceil((last - span) / step) * step; t <= last; t += step)
      if (x(t) > PAD.left + 12 && x(t) < width - 24)
        lines.push(svg("text", { x: x(t), y: CHART_HEIGHT - 6, "text-anchor": "middle" }, formatClock(t, step < 60000)));
    this.grid.replaceChildren(...lines);
  }

  drawMarks() {
    const { x, last, span } = this.at;
    const shown = this.events.filter((event) => event.weight !== "note" && event.at_ms > last - span && event.at_ms <= last);
    this.marks.replaceChildren(...shown.slice(-40).map((event) =>
      svg("line", { class: event.weight, x1: x(event.at_ms), x2: x(event.at_ms), y1: PAD.top, y2: CHART_HEIGHT - PAD.bottom })));
  }

  point(offset) {
    if (offset === null || !this.at || this.rows.length === 0) {
      this.hover = null;
      this.tip.hidden = true;
      this.cursor.setAttribute("visibility", "hidden");
      return;
    }
    let best = 0;
    this.rows.forEach((row, i) => {
      if (Math.abs(this.at.x(row.t) - offset) < Math.abs(this.at.x(this.rows[best].t) - offset))
        best = i;
    });
    this.show(best);
  }

  show(index) {
    const row = this.rows[index];
    if (!row)
      return;
    this.hover = index;
    const x = this.at.x(row.t);
    setAttributes(this.cursor, { x1: x, x2: x, y1: PAD.top, y2: CHART_HEIGHT - PAD.bottom, visibility: "visible" });
    const near = this.events.filter((event) => event.weight !== "note" && Math.abs(this.at.x(event.at_ms) - x) < 4).slice(-2);
    this.tip.replaceChildren(el("b", null, formatClock(row.t, true)),
      ...this.lines.map((line) => el("span", null, el("i", { class: `swatch ${line.name}` }), `${line.label} ${this.format(row[line.key])}`)),
      ...near.map((event) => el("em", null, event.text || event.kind)));
    this.tip.hidden = false;
    const left = Math.min(Math.max(x - this.tip.offsetWidth / 2, 4), this.at.width - this.tip.offsetWidth - 4);
    this.tip.style.left = `${left}px`;
  }
}
