// The whole page: asks, and hands what was answered to its parts.

const FIGURES = [
  ["tps", "Transactions", (row) => formatRate(row.tps), (row) => `${formatRate(row.rps)} requests`],
  ["clients", "Clients", (row) => formatCount(row.clients), (row, stats) => `of ${formatCount(stats.totals.max_clients)} at most`],
  ["waiting", "Waiting", (row) => formatCount(row.waiting + row.holding), (row) => (row.holding ? `${formatCount(row.holding)} for a node` : "for a connection")],
  ["p50", "Half within", (row) => formatUs(row.p50_us), () => "requests, last minute"],
  ["p99", "99 % within", (row) => formatUs(row.p99_us), (row) => `99.9 % within ${formatUs(row.p999_us)}`],
  ["use", "On their way", (row) => formatCount(row.outstanding), (row) => `on ${formatCount(row.connections)} connections`],
];

const series = new Series();
const rates = new NodeRates();
const timeline = new Timeline();
const latency = new Latency();
const tables = { nodes: nodesTable(byId("nodes")), pools: poolsTable(byId("pools")), listeners: listenersTable(byId("listeners")) };
const drawings = new Map();
const charts = [
  { title: "Throughput", hint: "per second", format: formatRate, lines: [{ key: "tps", label: "transactions", name: "c1" }, { key: "rps", label: "requests", name: "c2" }] },
  { title: "Latency", hint: "whole requests, quantiles of a minute", format: formatUs, log: true, lines: [
    { key: "p50_us", label: "50 %", name: "p50_us" }, { key: "p95_us", label: "95 %", name: "p95_us" },
    { key: "p99_us", label: "99 %", name: "p99_us" }, { key: "p999_us", label: "99.9 %", name: "p999_us" }] },
  { title: "Waiting sessions", hint: "for a connection, or for a node", format: formatCount, lines: [{ key: "waiting", label: "for a connection", name: "c3" }, { key: "holding", label: "for a node", name: "c4" }] },
  { title: "Pool use", hint: "connections to nodes", format: formatCount, lines: [{ key: "connections", label: "open", name: "c2" }, { key: "outstanding", label: "requests on their way", name: "c1" }] },
].map((options) => new Chart(byId("charts"), options));

function showFigures(stats) {
  const row = series.last;
  keyed(byId("figures"), FIGURES, ([key]) => key, ([key, label]) => el("div", { class: "figure", id: `figure-${key}` }, el("span", { class: "label" }, label), el("strong"), el("span", { class: "more" })), (node, [, , value, more]) => {
    setText(node.children[1], value(row));
    setText(node.children[2], more(row, stats));
  });
}

function makeCluster() {
  const parts = { state: el("p", { class: "cluster-state" }), title: el("h2"), drawing: el("div", { class: "drawing-frame" }) };
  const card = el("section", { class: "card cluster" }, el("div", { class: "card-head" }, parts.title, parts.state), parts.drawing);
  drawings.set(card, { parts, drawing: null });
  return card;
}

function showCluster(card, cluster, stats) {
  const kept = drawings.get(card);
  setText(kept.parts.title, `Cluster ${cluster.name}`);
  const state = cluster.primary !== null ? `${cluster.primary} is primary, timeline ${cluster.timeline ?? "?"}` : `no primary: ${cluster.no_primary_reason}`;
  setText(kept.parts.state, cluster.holding ? `${state} \u00b7 ${cluster.holding} requests wait` : state);
  setAttributes(card, { "data-state": cluster.primary !== null ? "good" : "trouble", "aria-label": `Cluster ${cluster.name}` });
  kept.drawing = kept.drawing || new Drawing(kept.parts.drawing);
  kept.drawing.draw(cluster, stats.listeners.filter((listener) => listener.cluster === cluster.name), (node) => rates.of(cluster, node));
}

function showAbout(stats) {
  setText(byId("about"), `${stats.version} \u00b7 ${location.host} \u00b7 up ${formatSeconds(stats.uptime_ms / 1000)}`);
  const trouble = stats.refusals.some((each) => each.weight === "trouble");
  document.title = trouble ? "\u26a0 rolecall" : "rolecall";
}

async function fillTimeline(stats) {
  if (timeline.process === stats.pid && !timeline.lacks(stats.events)) {
    timeline.take(stats.events, stats.pid);
    return;
  }
  timeline.take(stats.events, stats.pid);
  timeline.take((await askJson("events.json")).events, stats.pid);
}

function onData(stats) {
  rates.take(stats);
  series.addStats(stats);
  showAbout(stats);
  showFigures(stats);
  showRefusals(stats.refusals);
  keyed(byId("clusters"), stats.clusters, (cluster) => cluster.name, makeCluster, (card, cluster) => showCluster(card, cluster, stats));
  tables.nodes.show(stats.clusters.flatMap((cluster) => cluster.nodes.map((node) => ({ ...node, cluster: cluster.name, rate: rates.of(cluster, node) }))));
  tables.pools.show(stats.pools);
  tables.listeners.show(stats.listeners);
  latency.show(stats);
  fillTimeline(stats).catch(() => {});
  const events = timeline.list;
  charts.forEach((chart) => chart.draw(series.rows, events));
  document.body.dataset.answers = String(Number(document.body.dataset.answers || 0) + 1);
}

// ---- contact ----

let contact = { state: "waiting" };

function showContact() {
  const seconds = contact.next ? Math.max(0, Math.ceil((contact.next - Date.now()) / 1000)) : 0;
  const words = {
    waiting: "asking\u2026",
    live: "live",
    login: "a login is needed: load the page again",
    lost: `no answer since ${contact.since ? formatClock(contact.since, true) : ""}, next try in ${seconds} s`,
  };
  setAttributes(byId("contact"), { "data-state": contact.state });
  setText(byId("contact-text"), words[contact.state]);
  byId("retry").hidden = contact.state !== "lost";
  document.body.classList.toggle("stale", contact.state === "lost" || contact.state === "login");
}

const feed = new Feed(onData, (state) => {
  contact = state;
  showContact();
});
byId("retry").addEventListener("click", () => feed.now());
setInterval(showContact, 1000);

async function begin() {
  try {
    const [history, stats] = await Promise.all([askJson("history.json"), askJson("stats.json")]);
    series.addHistory(history, stats.pid);
  } catch {
    // The feed says what is wrong.
  }
  feed.now();
}
begin();
