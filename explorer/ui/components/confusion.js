// A confusion matrix: a table with a button in each cell that has images. Arrow keys go from button to
// button, so that Tab does not have to pass all of them.

export default function ({ data, parentElement, setTriggerValue }) {
  const table = parentElement.querySelector("table");
  const { classes, counts, fills, chosen, words } = data;
  const focused = table.querySelector("button:focus")?.dataset.at;
  const head = element("tr");
  head.append(cell("td", ""), ...classes.map((name) => cell("th", name, { scope: "col" })));
  const rows = counts.map((row, i) => {
    const line = element("tr");
    line.append(cell("th", classes[i], { scope: "row" }));
    row.forEach((count, j) => {
      const place = element("td", i === j ? "correct" : "");
      if (count) place.append(button(i, j, count));
      line.append(place);
    });
    return line;
  });

  function button(i, j, count) {
    const node = element("button", "", count.toLocaleString("en"));
    const isChosen = chosen && chosen[0] === i && chosen[1] === j;
    node.dataset.at = `${i} ${j}`;
    node.style.background = fills[i][j];
    node.classList.toggle("filled", Boolean(fills[i][j]));
    node.setAttribute("aria-pressed", String(Boolean(isChosen)));
    const sentence = i === j ? words.correct : words.wrong;
    const said = fill(sentence, { label: classes[i], predicted: classes[j] });
    node.setAttribute("aria-label", fill(words.count, { cell: said, count }));
    node.title = said;
    node.tabIndex = -1;
    node.addEventListener("click", () => setTriggerValue("cell", [i, j]));
    return node;
  }

  const body = element("tbody"), top = element("thead"), caption = element("caption");
  caption.append(words.axis);
  top.append(head);
  body.append(...rows);
  table.replaceChildren(caption, top, body);
  const buttons = [...table.querySelectorAll("button")];
  const first = buttons.find((node) => node.ariaPressed === "true") ?? buttons[0];
  if (first) first.tabIndex = 0;
  table.onkeydown = (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const at = event.target.dataset?.at?.split(" ").map(Number);
    if (!step || !at) return;
    event.preventDefault();
    let [i, j] = at;
    do {
      [i, j] = [i + step[0], j + step[1]];
    } while (counts[i]?.[j] === 0);
    table.querySelector(`[data-at="${i} ${j}"]`)?.focus();
  };
  if (focused) table.querySelector(`[data-at="${focused}"]`)?.focus({ preventScroll: true });
}

function cell(tag, text, attributes = {}) {
  return Object.assign(element(tag, "", text), attributes);
}

function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}
