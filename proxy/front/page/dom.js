// Making and changing elements. Names of databases and users come from clients: what is shown is only ever set as
// text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== undefined && value !== null && value !== false)
      node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function el(name, attributes, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return furnish(document.createElementNS(SVG, name), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

// What has not changed is not touched: selections, focus and the reading of screen readers stay.
function setText(node, text) {
  if (node.textContent !== text)
    node.textContent = text;
}

function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false)
      node.removeAttribute(name);
    else if (node.getAttribute(name) !== String(value))
      node.setAttribute(name, String(value));
  }
}

const keptChildren = new WeakMap();

// Makes the children of `parent` those of `items`, in their order: kept by key, made and updated as needed.
function keyed(parent, items, keyOf, make, update) {
  const before = keptChildren.get(parent) || new Map();
  const now = new Map();
  let place = parent.firstChild;
  items.forEach((item, index) => {
    let key = keyOf(item, index);
    while (now.has(key))
      key += "\u0000";
    const node = before.get(key) || make(item, index);
    before.delete(key);
    now.set(key, node);
    update(node, item, index);
    if (node === place)
      place = place.nextSibling;
    else
      parent.insertBefore(node, place);
  });
  for (const node of before.values())
    node.remove();
  keptChildren.set(parent, now);
}

// A group of buttons of which one is pressed.
function segmented(host, choices, chosen, onChoice) {
  const buttons = choices.map(([value, label]) => {
    const button = el("button", { type: "button", "aria-pressed": String(value === chosen) }, label);
    button.addEventListener("click", () => {
      buttons.forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
      onChoice(value);
    });
    return button;
  });
  host.append(...buttons);
}
