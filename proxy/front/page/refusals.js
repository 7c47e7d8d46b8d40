// What clients do not get right now, and why; or that everything is served.

function showRefusals(refusals) {
  const card = byId("refusals-card");
  const worst = refusals.some((each) => each.weight === "trouble") ? "trouble" : refusals.length ? "note" : "good";
  setAttributes(card, { "data-state": worst });
  const items = refusals.length ? [...refusals].sort((a, b) => (a.weight < b.weight ? 1 : a.weight > b.weight ? -1 : 0)) : [{ what: "Nothing: every listener is served, every node takes its share.", weight: "good" }];
  keyed(byId("refusals"), items, (each) => [each.cluster, each.listener, each.node, each.what].join("\u0000"),
    () => el("li", null, el("span", { class: "sign", "aria-hidden": "true" }), el("div", null, el("p", { class: "what" }), el("p", { class: "why" }))), (line, each) => {
      const [sign, text] = line.children;
      const whom = [each.node && `node ${each.node}`, each.listener && `listener ${each.listener}`].filter(Boolean).join(", ") || (each.cluster && `cluster ${each.cluster}`);
      setAttributes(line, { class: each.weight });
      setText(sign, SIGNS[each.weight] || SIGNS.note);
      setText(text.children[0], whom ? `${whom}: ${each.what}` : each.what);
      setText(text.children[1], each.reason || "");
    });
}
