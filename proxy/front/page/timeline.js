// What has happened, newest first, each with its reason and, when it is opened, the evidence.

const EVENTS_KEPT = 512;
const SIGNS = { note: "\u00b7", good: "\u2713", trouble: "!" };

class Timeline {
  constructor() {
    Object.assign(this, { events: new Map(), process: null, only: "all" });
    segmented(byId("timeline-switch"), [["all", "All"], ["weighty", "What matters"]], this.only, (value) => {
      this.only = value;
      this.draw();
    });
  }

  // Newest first.
  get list() {
    return [...this.events.values()].sort((a, b) => b.id - a.id);
  }

  take(events, process) {
    if (this.process !== process)
      this.events.clear();
    this.process = process;
    const before = this.events.size;
    for (const event of events)
      this.events.set(event.id, event);
    for (const old of this.list.slice(EVENTS_KEPT))
      this.events.delete(old.id);
    if (this.events.size !== before || before === 0)
      this.draw();
  }

  // True when some between what is known and what just came are missing.
  lacks(events) {
    return events.length > 0 && events[0].id > 1 && !this.events.has(events[0].id - 1);
  }

  draw() {
    const shown = this.list.filter((event) => this.only === "all" || event.weight !== "note" || event.kind === "role_changed").slice(0, 120);
    byId("timeline-nothing").hidden = shown.length > 0;
    keyed(byId("timeline"), shown, (event) => String(event.id), (event) => this.make(event), () => {});
  }

  make(event) {
    const when = el("time", { datetime: new Date(event.at_ms).toISOString(), title: `${formatDay(event.at_ms)} ${formatClock(event.at_ms, true)}` }, formatClock(event.at_ms, true));
    const where = [event.cluster, event.node].filter(Boolean).join(" \u00b7 ");
    return el("li", { class: `event ${event.weight}`, "data-kind": event.kind },
      el("span", { class: "sign", "aria-hidden": "true" }, SIGNS[event.weight] || SIGNS.note),
      el("div", { class: "event-body" },
        el("p", { class: "event-head" }, when, el("span", { class: "kind" }, event.kind.replaceAll("_", " ")), where ? el("span", { class: "where" }, where) : null),
        el("p", { class: "event-text" }, event.text || event.kind),
        event.reason ? el("p", { class: "event-reason" }, event.reason) : null,
        event.evidence ? el("details", null, el("summary", null, "What was seen"), ...event.evidence.split("; ").map((part) => el("p", null, part))) : null));
  }
}
