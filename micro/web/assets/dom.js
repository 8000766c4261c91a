// Creates DOM elements: element("a", {href: "/", class: "x", click: handler}, "text", otherElement).

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((each) => each !== null && each !== undefined && each !== false));
  return made;
}

export const byId = (id) => document.getElementById(id);

// Replaces an element's content only if it has changed, so that nothing flickers or loses the focus.
export function update(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

let made = 0;

export function freshId(word) {
  made += 1;
  return `${word}-${made}`;
}
