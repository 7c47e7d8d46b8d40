// The last ten minutes as rows: what /history.json kept before the page was opened, and then one row for each answer.
// Counters become rates between two rows; where a process ends and the next begins there is none.

const SPAN_MS = 600000;
const COUNTERS = { transactions: "tps", requests: "rps" };

class Series {
  constructor() {
    this.rows = [];
  }

  get last() {
    return this.rows[this.rows.length - 1];
  }

  add(row) {
    const before = this.last;
    if (before && row.t <= before.t)
      return;
    for (const [counter, rate] of Object.entries(COUNTERS)) {
      const more = before && before.process === row.process ? row[counter] - before[counter] : -1;
      row[rate] = more >= 0 ? more / ((row.t - before.t) / 1000) : null;
    }
    for (const quantile of ["p50_us", "p95_us", "p99_us", "p999_us"])
      row[quantile] = row[quantile] || null;
    this.rows.push(row);
    while (this.rows[0].t < row.t - SPAN_MS)
      this.rows.shift();
  }

  addHistory(history, process) {
    for (const numbers of history.rows) {
      const row = { process };
      history.columns.forEach((name, at) => { row[name] = numbers[at]; });
      row.t = row.at_ms;
      this.add(row);
    }
  }

  addStats(stats) {
    const nodes = stats.clusters.flatMap((cluster) => cluster.nodes);
    const sum = (list, key) => list.reduce((total, each) => total + (each[key] || 0), 0);
    const minute = stats.latency.all.request.last_minute;
    const { transactions, requests, clients, waiting } = stats.totals;
    this.add({
      t: Date.parse(stats.time), process: stats.pid, transactions, requests, clients, waiting,
      holding: sum(stats.clusters, "holding"), connections: sum(nodes, "connections"), outstanding: sum(nodes, "outstanding"),
      p50_us: minute.p50_us, p95_us: minute.p95_us, p99_us: minute.p99_us, p999_us: minute.p999_us,
    });
  }
}

// Requests per second of each node, between two answers.
class NodeRates {
  constructor() {
    this.before = null;
    this.rates = new Map();
  }

  static key(cluster, node) {
    return `${cluster.name}\u0000${node.name}`;
  }

  take(stats) {
    const now = { process: stats.pid, t: stats.uptime_ms, requests: new Map() };
    for (const cluster of stats.clusters)
      for (const node of cluster.nodes)
        now.requests.set(NodeRates.key(cluster, node), node.requests);
    const { before } = this;
    const seconds = before && before.process === now.process ? (now.t - before.t) / 1000 : 0;
    if (seconds <= 0)
      this.rates.clear();
    for (const [key, requests] of now.requests)
      if (seconds > 0 && before.requests.has(key))
        this.rates.set(key, Math.max(0, requests - before.requests.get(key)) / seconds);
    this.before = now;
  }

  of(cluster, node) {
    const rate = this.rates.get(NodeRates.key(cluster, node));
    return rate === undefined ? null : rate;
  }
}
