// A list of networks in families that opens below the chosen one, as a select box does.

const PATIENCE = 1500; // ms between two looks whether more drawings are there

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".gallery");
  root.data = data;
  root.send = setTriggerValue;
  if (!root.isReady) {
    root.isReady = true;
    prepare(root);
  }
  show(root);
  return () => clearTimeout(root.timer);
}

function prepare(root) {
  const [button, list] = [root.querySelector(".chosen"), root.querySelector(".list")];
  button.addEventListener("click", () => open(root, list.hidden));
  button.addEventListener("keydown", (event) => {
    if (!["ArrowDown", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    open(root, true);
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) choose(root, option.dataset.name);
  });
  list.addEventListener("keydown", (event) => {
    const options = [...list.querySelectorAll("[role=option]")];
    const at = options.findIndex((option) => option === root.getRootNode().activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: options.length - 1 }[event.key];
    const letter = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey;
    if (to !== undefined) options[Math.min(options.length - 1, Math.max(0, to))].focus();
    else if (event.key === "Enter" || event.key === " ") choose(root, options[at]?.dataset.name);
    else if (event.key === "Escape") open(root, false);
    else if (letter) {
      const later = [...options.slice(at + 1), ...options.slice(0, at + 1)];
      later.find((option) => option.dataset.name.toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  root.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !root.contains(event.relatedTarget)) open(root, false, false);
  });
}

function show(root) {
  const { data } = root;
  const text = JSON.stringify([data.families, data.said]);
  if (root.text !== text) {
    root.text = text;
    const [button, list] = [root.querySelector(".chosen"), root.querySelector(".list")];
    const focused = root.getRootNode().activeElement?.dataset?.name;
    root.querySelector(".label").textContent = data.label;
    const every = data.families.flatMap((family) => family.members);
    const chosen = every.find((each) => each.name === data.chosen);
    button.replaceChildren(...(chosen ? [picture(chosen), words(chosen.name, ""), mark()] : []));
    button.setAttribute("aria-label", data.said);
    list.replaceChildren(...data.families.map((family, number) => group(family, number, data.chosen)));
    if (focused) list.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
  wait(root);
}

// Asks for a look again as long as drawings are on their way that would be seen.
function wait(root) {
  clearTimeout(root.timer);
  const isSeen = !root.querySelector(".list").hidden || !root.querySelector(".chosen svg");
  if (root.data.waits && isSeen)
    root.timer = setTimeout(() => root.send("look", performance.now()), PATIENCE);
}

function group(family, number, chosen) {
  const part = element("div", "family");
  part.setAttribute("role", "group");
  part.setAttribute("aria-labelledby", `family-${number}`);
  const title = element("div", "title", family.title);
  title.id = `family-${number}`;
  part.append(title);
  if (family.line) part.append(element("div", "line", family.line));
  for (const each of family.members) {
    const option = element("div", "option");
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", each.name === chosen);
    option.setAttribute("aria-label", each.name);
    option.dataset.name = each.name;
    option.tabIndex = -1;
    option.append(picture(each), words(each.name, each.line));
    part.append(option);
  }
  return part;
}

function picture(each) {
  const place = element("span", "picture");
  place.innerHTML = each.drawing; // the server's own drawing, of numbers and hues alone
  return place;
}

function words(name, line) {
  const place = element("span", "words");
  place.append(element("span", "name", name));
  if (line) place.append(element("span", "line", line));
  return place;
}

function mark() {
  const place = element("span", "mark");
  place.setAttribute("aria-hidden", "true");
  return place;
}

function element(tag, name, text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  if (text) made.dir = "auto";
  return made;
}

function open(root, isOpen, takesFocus = true) {
  const [button, list] = [root.querySelector(".chosen"), root.querySelector(".list")];
  if (list.hidden === !isOpen) return;
  list.hidden = !isOpen;
  button.setAttribute("aria-expanded", isOpen);
  if (isOpen) {
    const option = list.querySelector("[aria-selected=true]") ?? list.querySelector("[role=option]");
    if (option) list.scrollTop = option.offsetTop - list.offsetTop - list.clientHeight / 3;
    option?.focus({ preventScroll: true });
  } else if (takesFocus) button.focus({ preventScroll: true });
  wait(root);
}

function choose(root, name) {
  open(root, false);
  if (name && name !== root.data.chosen) root.send("choose", name);
}
