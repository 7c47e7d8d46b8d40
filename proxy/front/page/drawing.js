// A cluster drawn: its listeners, rolecall, its nodes with role, condition and lag, and what flows between them. Wide:
// from left to right. Narrow, or many nodes: boxes along a line. Nodes keep their places when roles move.

const BOX = { w: 268, h: 76, gap: 16 };
const SMALL = { w: 210, h: 58, gap: 10 };
const FEW_NODES = 6;
const PILLS = 6;

const ROLE_WORDS = { primary: "primary", replica: "replica", master: "master", unknown: "no role" };

function thickness(rate) {
  return known(rate) && rate > 0 ? Math.min(9, 1.5 + 1.5 * Math.log10(1 + rate)) : 1.2;
}

function flowClass(rate, state) {
  return `edge ${state || ""} ${known(rate) && rate > 0 ? "flows" : ""}`;
}

class Drawing {
  constructor(host) {
    this.picture = svg("svg", { class: "drawing", role: "img" });
    this.edges = svg("g");
    this.links = svg("g");
    this.pills = svg("g");
    this.hub = this.makeHub();
    this.boxes = svg("g");
    this.picture.append(this.edges, this.links, this.pills, this.hub, this.boxes);
    host.append(this.picture);
    new ResizeObserver(() => this.last && this.draw(...this.last)).observe(host);
    this.host = host;
  }

  makeHub() {
    this.hubRate = svg("text", { class: "hub-rate", "text-anchor": "middle", y: 17 });
    return svg("g", { class: "hub" }, svg("circle", { r: 46 }), svg("text", { class: "hub-name", "text-anchor": "middle", y: -2 }, "rolecall"), this.hubRate);
  }

  draw(cluster, listeners, rateOf) {
    this.last = [cluster, listeners, rateOf];
    const width = Math.max(300, this.host.clientWidth);
    const nodes = cluster.nodes.map((node) => ({ ...node, rate: rateOf(node) }));
    const plan = width >= 720 && nodes.length <= FEW_NODES ? this.wide(width, nodes, listeners) : this.lines(width, nodes);
    setAttributes(this.picture, { viewBox: `0 0 ${width} ${plan.height}`, height: plan.height, "aria-label": this.describe(cluster, nodes) });
    setAttributes(this.hub, { transform: `translate(${plan.hub.x} ${plan.hub.y})` });
    const total = nodes.reduce((sum, node) => sum + (node.rate || 0), 0);
    setText(this.hubRate, nodes.some((node) => known(node.rate)) ? formatRate(total) : NOTHING);
    this.drawBoxes(nodes, plan);
    this.drawEdges(nodes, plan);
    this.drawLinks(cluster, nodes, plan);
    this.drawPills(plan.pills || []);
  }

  describe(cluster, nodes) {
    const each = nodes.map((node) => `${node.name} is ${ROLE_WORDS[node.role] || node.role}, ${node.condition}`);
    return `Cluster ${cluster.name}: ${each.join("; ")}`;
  }

  // Listeners, rolecall and nodes in three columns; curves between them.
  wide(width, nodes, listeners) {
    const pillH = 42;
    const shown = listeners.slice(0, PILLS);
    const more = listeners.length - shown.length;
    const rows = shown.map((listener) => ({ title: listener.name, text: `${listener.route} \u00b7 ${formatCount(listener.clients)} clients`, bad: !listener.serves, clients: listener.clients }));
    if (more > 0)
      rows.push({ title: `${more} more`, text: "listeners", clients: 0 });
    const nodesH = nodes.length * (BOX.h + BOX.gap) - BOX.gap;
    const pillsH = rows.length * (pillH + 12) - 12;
    const height = Math.max(nodesH, pillsH, 120) + 24;
    const left = width - BOX.w - 110;
    const hub = { x: Math.round(188 + (left - 188) / 2), y: height / 2 };
    const places = nodes.map((_, i) => ({ x: left, y: (height - nodesH) / 2 + i * (BOX.h + BOX.gap) }));
    const bend = (a, b) => `M${a.x} ${a.y}C${(a.x + b.x) / 2} ${a.y} ${(a.x + b.x) / 2} ${b.y} ${b.x} ${b.y}`;
    const pills = rows.map((row, i) => {
      const y = (height - pillsH) / 2 + i * (pillH + 12);
      return { ...row, x: 2, y, w: 176, h: pillH, way: bend({ x: 178, y: y + pillH / 2 }, { x: hub.x - 46, y: hub.y }) };
    });
    return {
      height, hub, places, box: BOX, pills, linked: true,
      way: (i) => bend({ x: hub.x + 46, y: hub.y }, { x: places[i].x, y: places[i].y + BOX.h / 2 }),
      label: (i) => ({ x: places[i].x - 12, y: places[i].y + BOX.h / 2 - 8, anchor: "end" }),
    };
  }

  // Boxes in columns, each at a line that comes down from rolecall.
  lines(width, nodes) {
    const box = nodes.length > FEW_NODES ? { ...SMALL } : { ...BOX };
    const stem = 26;
    const columns = Math.max(1, Math.min(nodes.length, Math.floor((width + 8) / (box.w + stem + 8))));
    box.w = Math.floor((width - 2) / columns) - stem - 8;
    const perColumn = Math.ceil(nodes.length / columns);
    const hub = { x: width / 2, y: 50 };
    const top = 130;
    const trunk = (column) => column * (box.w + stem + 8) + 8;
    const places = nodes.map((_, i) => ({ x: trunk(Math.floor(i / perColumn)) + stem - 8, y: top + (i % perColumn) * (box.h + box.gap) }));
    return {
      height: top + perColumn * (box.h + box.gap) + 4, hub, places, box,
      way: (i) => `M${hub.x} ${hub.y + 46}V${top - 22}H${trunk(Math.floor(i / perColumn))}V${places[i].y + box.h / 2}H${places[i].x}`,
    };
  }

  drawEdges(nodes, plan) {
    keyed(this.edges, nodes, (node) => node.name, () => svg("g", null, svg("path"), svg("path"), svg("text", { class: "edge-rate" })), (group, node, i) => {
      const [line, dots, text] = group.children;
      const state = node.condition === "down" || node.role === "unknown" ? "dead" : node.role;
      const d = plan.way(i);
      setAttributes(line, { d, class: `edge ${plan.linked || state === "dead" ? state : ""}`, "stroke-width": thickness(node.rate).toFixed(1) });
      setAttributes(dots, { d, class: flowClass(node.rate, "dots"), "stroke-width": Math.min(4, thickness(node.rate)).toFixed(1) });
      dots.style.animationDuration = `${Math.max(0.4, 2.4 - 0.5 * Math.log10(1 + (node.rate || 0))).toFixed(2)}s`;
      const at = plan.label ? plan.label(i) : null;
      setAttributes(text, at ? { x: at.x, y: at.y, "text-anchor": at.anchor } : { x: 0, y: 0 });
      setText(text, at && known(node.rate) ? formatRate(node.rate) : "");
    });
  }

  // Who replays whose WAL, with the lag, at the right side.
  drawLinks(cluster, nodes, plan) {
    const from = nodes.findIndex((node) => node.name === cluster.primary);
    const followers = plan.linked && from >= 0 ? nodes.map((node, i) => ({ node, i })).filter(({ node }) => node.role === "replica") : [];
    keyed(this.links, followers, ({ node }) => node.name, () => svg("g", { class: "link" }, svg("path"), svg("path", { class: "arrow" }), svg("text")), (group, { node, i }) => {
      const [line, arrow, text] = group.children;
      const x = plan.places[i].x + plan.box.w;
      const widest = 26 + 12 * Math.min(3, nodes.length - 1);
      const a = plan.places[from].y + plan.box.h / 2;
      const b = plan.places[i].y + plan.box.h / 2;
      const reach = 26 + 12 * Math.min(3, Math.abs(from - i));
      setAttributes(line, { d: `M${x + 2} ${a}C${x + reach} ${a} ${x + reach} ${b} ${x + 7} ${b}` });
      setAttributes(arrow, { d: `M${x + 2} ${b}l8 -4v8z` });
      setAttributes(text, { x: x + 0.75 * widest + 6, y: b + 4, class: node.serves_reads ? "" : "late" });
      setText(text, node.lag_ms === null ? "lag ?" : formatUs(node.lag_ms * 1000));
    });
  }

  drawBoxes(nodes, plan) {
    keyed(this.boxes, nodes, (node) => node.name, () => this.makeBox(), (group, node, i) => {
      const { w, h } = plan.box;
      const small = h < BOX.h;
      const place = plan.places[i];
      const [tip, frame, stripe, name, badge, role, dot, condition, numbers] = group.children;
      const state = node.duty === "enabled" ? node.condition : `${node.condition}, ${node.duty}`;
      const word = (ROLE_WORDS[node.role] || node.role).toUpperCase() + (node.read_only ? " R/O" : "");
      const badgeW = word.length * 7.3 + 16;
      setAttributes(group, { transform: `translate(${place.x} ${place.y})`, class: `node ${node.role} ${node.condition}` });
      setText(tip, `${node.name}: ${node.reason}`);
      setAttributes(frame, { width: w, height: h });
      setAttributes(stripe, { y: 12, height: h - 24 });
      setAttributes(name, { y: small ? 21 : 25 });
      setText(name, clip(node.name, w - (small ? 0 : badgeW) - 32, 15));
      setAttributes(badge, { x: w - badgeW - 10, y: small ? 27 : 11, width: badgeW });
      setAttributes(role, { x: w - badgeW / 2 - 10, y: small ? 40 : 24 });
      setText(role, word);
      setAttributes(dot, { cy: small ? 35 : 41 });
      setAttributes(condition, { y: small ? 39 : 45 });
      setText(condition, clip(small ? state : `${state} \u00b7 ${node.host}:${node.port}`, w - 46, 12));
      setAttributes(numbers, { y: small ? 52 : 64 });
      const parts = [formatRate(node.rate), `${formatCount(node.connections)} conn`];
      if (node.role === "replica")
        parts.push(`lag ${formatLag(node)}`);
      setText(numbers, clip(parts.join(" \u00b7 "), w - 26, 12));
    });
  }

  makeBox() {
    return svg("g", null, svg("title"), svg("rect", { class: "frame", rx: 10 }), svg("rect", { class: "stripe", width: 6, rx: 3 }),
      svg("text", { class: "name", x: 18 }), svg("rect", { class: "badge", height: 18, rx: 9 }), svg("text", { class: "role", "text-anchor": "middle" }),
      svg("circle", { class: "dot", cx: 22, r: 4 }), svg("text", { class: "small", x: 32 }), svg("text", { class: "small numbers", x: 18 }));
  }

  drawPills(pills) {
    keyed(this.pills, pills, (pill) => pill.title, () => svg("g", { class: "pill" }, svg("path", { class: "edge" }), svg("rect", { rx: 10 }), svg("text", { class: "name" }), svg("text", { class: "small" })), (group, pill) => {
      const [way, frame, title, text] = group.children;
      setAttributes(group, { class: `pill ${pill.bad ? "bad" : ""}` });
      setAttributes(way, { d: pill.way, "stroke-width": thickness(pill.clients / 10).toFixed(1), class: `edge ${pill.bad ? "dead" : ""}` });
      setAttributes(frame, { x: pill.x, y: pill.y, width: pill.w, height: pill.h });
      setAttributes(title, { x: pill.x + 12, y: pill.y + 18 });
      setText(title, clip(pill.title, pill.w - 20, 14));
      setAttributes(text, { x: pill.x + 12, y: pill.y + 34 });
      setText(text, clip(pill.text, pill.w - 20, 12));
    });
  }
}
