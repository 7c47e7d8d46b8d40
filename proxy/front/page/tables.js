// Tables that can be sorted by their headings and, when they are long, searched; only the first rows are drawn until
// all are asked for.

const ROWS_AT_FIRST = 40;

class Table {
  // columns: [{label, value(row), text(row), number, chip(row)}]
  constructor(host, { label, columns, keyOf, searchable, empty }) {
    Object.assign(this, { columns, keyOf, sortedBy: null, descending: false, all: false, rows: [], needle: "", empty });
    this.heads = columns.map((column, i) => this.makeHead(column, i));
    this.body = el("tbody");
    this.note = el("p", { class: "nothing" });
    this.more = el("button", { type: "button", class: "more", hidden: true });
    this.more.addEventListener("click", () => {
      this.all = !this.all;
      this.draw();
    });
    this.search = searchable ? this.makeSearch(label) : null;
    host.append(...(this.search ? [this.search] : []),
      el("div", { class: "scroll", role: "region", "aria-label": label, tabindex: "0" }, el("table", null, el("thead", null, el("tr", null, ...this.heads)), this.body)),
      this.note, this.more);
  }

  makeHead(column, i) {
    const button = el("button", { type: "button" }, column.label);
    const head = el("th", { scope: "col", class: column.number ? "number" : null }, button);
    button.addEventListener("click", () => {
      this.descending = this.sortedBy === i ? !this.descending : Boolean(column.number);
      this.sortedBy = i;
      this.draw();
    });
    return head;
  }

  makeSearch(label) {
    const field = el("input", { type: "search", placeholder: "Search", "aria-label": `Search ${label}`, autocomplete: "off", spellcheck: "false" });
    field.addEventListener("input", () => {
      this.needle = field.value.toLowerCase();
      this.draw();
    });
    return field;
  }

  show(rows) {
    this.rows = rows;
    this.draw();
  }

  chosen() {
    const rows = this.needle ? this.rows.filter((row) => this.columns.some((column) => column.text(row).toLowerCase().includes(this.needle))) : [...this.rows];
    const column = this.columns[this.sortedBy];
    if (!column)
      return rows;
    const value = column.value || column.text;
    const order = (a, b) => (typeof a === "string" || typeof b === "string" ? String(a ?? "").localeCompare(String(b ?? "")) : (a ?? -1) - (b ?? -1));
    return rows.sort((a, b) => (this.descending ? -1 : 1) * order(value(a), value(b)));
  }

  draw() {
    const rows = this.chosen();
    const shown = this.all ? rows : rows.slice(0, ROWS_AT_FIRST);
    this.heads.forEach((head, i) => setAttributes(head, { "aria-sort": this.sortedBy !== i ? null : this.descending ? "descending" : "ascending" }));
    keyed(this.body, shown, this.keyOf, () => el("tr", null, ...this.columns.map((column) => el("td", { class: column.number ? "number" : null }, el("span")))), (line, row) => {
      this.columns.forEach((column, i) => {
        const cell = line.children[i].firstChild;
        const text = column.text(row);
        setText(cell, text);
        setAttributes(cell, { class: column.chip ? `chip ${column.chip(row)}` : column.wide ? "wide" : null, title: text.length > 28 ? text : null });
      });
    });
    setText(this.note, rows.length === 0 ? (this.needle ? "Nothing of that name." : this.empty) : "");
    this.note.hidden = rows.length > 0;
    this.more.hidden = rows.length <= ROWS_AT_FIRST;
    setText(this.more, this.all ? `Show the first ${ROWS_AT_FIRST}` : `Show all ${rows.length}`);
  }
}

function nodesTable(host) {
  return new Table(host, {
    label: "nodes", keyOf: (node) => `${node.cluster}\u0000${node.name}`, empty: "No node is known yet.",
    columns: [
      { label: "Node", text: (node) => node.name },
      { label: "Cluster", text: (node) => node.cluster },
      { label: "Role", text: (node) => ROLE_WORDS[node.role] || node.role, chip: (node) => node.role },
      { label: "Condition", text: (node) => node.condition, chip: (node) => node.condition },
      { label: "Duty", text: (node) => node.duty },
      { label: "Requests", number: true, value: (node) => node.rate, text: (node) => formatRate(node.rate) },
      { label: "On their way", number: true, value: (node) => node.outstanding, text: (node) => formatCount(node.outstanding) },
      { label: "Connections", number: true, value: (node) => node.connections, text: (node) => formatCount(node.connections) + (node.max_connections ? ` / ${formatCount(node.max_connections)}` : "") },
      { label: "Lag", number: true, value: (node) => node.lag_ms, text: (node) => (node.lag_ms === null ? NOTHING : formatUs(node.lag_ms * 1000)) },
      { label: "Lag, WAL", number: true, value: (node) => node.lag_bytes, text: (node) => formatBytes(node.lag_bytes) },
      { label: "Weight", number: true, value: (node) => node.weight, text: (node) => String(node.weight) },
      { label: "Address", text: (node) => `${node.host}:${node.port}` },
      { label: "Why", text: (node) => node.reason || "", wide: true },
    ],
  });
}

function poolsTable(host) {
  const count = (label, key) => ({ label, number: true, value: (pool) => pool[key], text: (pool) => formatCount(pool[key]) });
  return new Table(host, {
    label: "pools", searchable: true, empty: "No pool is in use.",
    keyOf: (pool) => [pool.cluster, pool.database, pool.user, pool.node].join("\u0000"),
    columns: [
      { label: "Database", text: (pool) => pool.database || "", wide: true },
      { label: "User", text: (pool) => pool.user || "", wide: true },
      { label: "Node", text: (pool) => pool.node || "" },
      { label: "Mode", text: (pool) => pool.pool_mode },
      count("Waiting", "clients_waiting"),
      { label: "First waits", number: true, value: (pool) => pool.oldest_wait_us, text: (pool) => (pool.oldest_wait_us ? formatUs(pool.oldest_wait_us) : NOTHING) },
      count("Active", "servers_active"), count("Idle", "servers_idle"), count("Resetting", "servers_resetting"), count("Opening", "servers_opening"),
      { label: "Size", number: true, value: (pool) => pool.pool_size, text: (pool) => (pool.pool_size === null ? "any" : formatCount(pool.pool_size)) },
      { label: "Cluster", text: (pool) => pool.cluster },
    ],
  });
}

function listenersTable(host) {
  return new Table(host, {
    label: "listeners", keyOf: (listener) => listener.name, empty: "There is no listener.",
    columns: [
      { label: "Listener", text: (listener) => listener.name },
      { label: "Address", text: (listener) => listener.address },
      { label: "Serves", text: (listener) => (listener.serves ? "yes" : "no"), chip: (listener) => (listener.serves ? "up" : "down") },
      { label: "Route", text: (listener) => listener.route },
      { label: "Pool", text: (listener) => listener.pool_mode },
      { label: "Clients", number: true, value: (listener) => listener.clients, text: (listener) => formatCount(listener.clients) + (listener.max_clients ? ` / ${formatCount(listener.max_clients)}` : "") },
      { label: "Login", text: (listener) => listener.auth },
      { label: "TLS", text: (listener) => listener.tls },
      { label: "Cluster", text: (listener) => listener.cluster },
    ],
  });
}
