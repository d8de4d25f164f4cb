// A drawing of a network. It grows with the page up to a point, never shrinks, so that its words stay
// readable, and scrolls sideways where it is wider than the page.

const GROWTH = 1.25;

export default function ({ data, parentElement, setTriggerValue }) {
  const around = parentElement.querySelector(".around");
  const root = around.querySelector(".drawing");
  root.act = ({ name, unfold }) =>
    unfold === undefined ? setTriggerValue("open", name) : setTriggerValue("fold", false);
  root.file = data.file;
  const fold = around.querySelector(".fold"); // a page without a server has none
  if (fold) {
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
  root.scrollLeft += box.left - frame.left - Math.max(0, frame.width - box.width) / 2;
}

// Buttons at the sides where there is more to see.
function hints(around, root) {
  const [back, on] = around.querySelectorAll(".side");
  const turn = (way) => root.scrollBy({ left: 0.7 * way * root.clientWidth, behavior: "smooth" });
  back.querySelector("button").addEventListener("click", () => turn(-1));
  on.querySelector("button").addEventListener("click", () => turn(1));
  const update = () => {
    back.hidden = root.scrollLeft < 4;
    on.hidden = root.scrollLeft + root.clientWidth > root.scrollWidth - 4;
  };
  root.addEventListener("scroll", update);
  return update;
}

// What a file needs of the page's styles: each shape gets its own.
const STYLES = [
  "fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "opacity",
  "font", "text-decoration-line", "color",
];

function save(root) {
  const svg = root.querySelector("svg");
  const copy = svg.cloneNode(true);
  const all = "*:not(title, style)";
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
