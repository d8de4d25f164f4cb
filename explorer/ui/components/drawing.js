// A drawing of a network. It grows with the page up to a point, never shrinks, so that its words stay
// readable, and scrolls sideways where it is wider than the page.

const GROWTH = 1.25;

export default function ({ data, parentElement, setTriggerValue }) {
  const around = parentElement.querySelector(".around");
  const root = around.querySelector(".drawing");
  root.act = ({ name, unfold }) =>
    unfold === undefined ? setTriggerValue("open", name) : setTriggerValue("fold", false);
  root.file = data.file;
  const { words } = data;
  const [back, on] = around.querySelectorAll(".side button");
  back.setAttribute("aria-label", words.back);
  on.setAttribute("aria-label", words.on);
  around.querySelector(".save").textContent = words.save;
  const table = around.querySelector(".data");
  Object.assign(table, { textContent: words.data, title: words.table });
  table.onclick = () => openTable(around, tableOf(root, words), words);
  const fold = around.querySelector(".fold"); // a page without a server has none
  if (fold) {
    fold.textContent = words.fold;
    fold.hidden = !data.unfolded;
    fold.onclick = () => setTriggerValue("fold", true);
  }
  if (!root.hints) {
    root.hints = hints(around, root);
    around.querySelector(".save").addEventListener("click", () => save(root));
  }
  if (root.drawn !== data.svg) draw(root, data.svg);
  root.hints();
  const observer = new ResizeObserver(root.hints);
  observer.observe(root);
  return () => observer.disconnect();
}

function draw(root, svg) {
  const focused = root.querySelector(":focus")?.dataset.name;
  const opened = root.querySelector(".opened")?.dataset.name;
  root.drawn = svg;
  root.innerHTML = svg;
  const drawing = root.querySelector("svg");
  const width = Number(drawing.getAttribute("width"));
  Object.assign(drawing.style, { minWidth: `${width}px`, maxWidth: `${GROWTH * width}px` });
  for (const part of root.querySelectorAll("[role=button]")) {
    part.addEventListener("click", () => root.act(part.dataset));
    part.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      root.act(part.dataset);
    });
  }
  const now = root.querySelector(".opened");
  if (now && now.dataset.name !== opened) show(root, now);
  // Equal parts are folded, so the one that had the focus may be drawn as one of several.
  const again = focused && root.querySelector(`[data-name="${CSS.escape(focused)}"]`);
  (again || (focused && now))?.focus({ preventScroll: true });
}

// Scrolls sideways until a part is seen. `scrollIntoView` would scroll the page as well.
function show(root, part) {
  const frame = root.getBoundingClientRect(), box = part.getBoundingClientRect();
  if (box.left >= frame.left && box.right <= frame.right) return;
  const zoomed = root.currentCSSZoom ?? 1; // the page's, by which its boxes are larger than its pixels
  root.scrollLeft += (box.left - frame.left - Math.max(0, frame.width - box.width) / 2) / zoomed;
}

const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Buttons at the sides where there is more to see.
function hints(around, root) {
  const [back, on] = around.querySelectorAll(".side");
  const turn = (way) => root.scrollBy({ left: 0.7 * way * root.clientWidth, behavior: isCalm() ? "instant" : "smooth" });
  back.querySelector("button").addEventListener("click", () => turn(-1));
  on.querySelector("button").addEventListener("click", () => turn(1));
  const update = () => {
    back.hidden = root.scrollLeft < 4;
    on.hidden = root.scrollLeft + root.clientWidth > root.scrollWidth - 4;
  };
  root.addEventListener("scroll", update);
  return update;
}

// Its parts, which are in the drawing itself, and those of a branch that is off, as it is drawn.
function tableOf(root, words) {
  const svg = root.querySelector("svg");
  const { columns, branch, rows } = JSON.parse(svg.querySelector("metadata").textContent);
  const lanes = [...svg.querySelectorAll(".off[data-branch], .off [data-branch]")];
  const named = ({ dataset }) => (dataset.branches ? JSON.parse(dataset.branches) : [dataset.branch]);
  const off = new Set(lanes.flatMap(named));
  const marked = (row) => Object.assign([...row], { [branch]: words.isOff.replace("{branch}", row[branch]) });
  return {
    says: svg.getAttribute("aria-label"),
    columns,
    rows: rows.map((row) => (off.has(row[branch]) ? marked(row) : row)),
  };
}

// What a file needs of the page's styles: each shape gets its own.
const STYLES = [
  "fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "opacity",
  "font", "text-decoration-line", "color",
];

function save(root) {
  const svg = root.querySelector("svg");
  const copy = svg.cloneNode(true);
  const all = "*:not(title, style, metadata)";
  const shapes = copy.querySelectorAll(all);
  svg.querySelectorAll(all).forEach((shape, place) => {
    const own = getComputedStyle(shape);
    for (const style of STYLES) shapes[place].style.setProperty(style, own.getPropertyValue(style));
  });
  copy.querySelector("style").remove();
  const page = getComputedStyle(root).getPropertyValue("--st-background-color");
  copy.style.cssText = `background: ${page || "white"}`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([copy.outerHTML], { type: "image/svg+xml" }));
  link.download = `${root.file}.svg`;
  link.click();
  URL.revokeObjectURL(link.href);
}
