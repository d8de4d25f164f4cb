// An SVG drawing whose parts with a name can be opened.

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".drawing");
  if (root.drawn === data.svg) return;
  root.drawn = data.svg;
  const focused = root.querySelector(":focus")?.dataset.name;
  root.innerHTML = data.svg;
  root.parentElement.querySelector(".save")?.remove();
  root.parentElement.append(saveButton(root.querySelector("svg"), data.file));
  root.querySelector(".opened")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  for (const part of root.querySelectorAll("[data-name]")) {
    const open = () => setTriggerValue("open", part.dataset.name);
    part.addEventListener("click", open);
    part.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      open();
    });
  }
  if (focused) root.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
}

// The page's styles do not go into a file, so each shape gets its own.
const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font", "color"];

function saveButton(svg, file) {
  const button = document.createElement("button");
  button.className = "save";
  button.textContent = "Save as SVG";
  button.addEventListener("click", () => {
    const copy = svg.cloneNode(true);
    const shapes = copy.querySelectorAll("*");
    svg.querySelectorAll("*").forEach((shape, place) => {
      const own = getComputedStyle(shape);
      for (const style of STYLES) shapes[place].style.setProperty(style, own.getPropertyValue(style));
    });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([copy.outerHTML], { type: "image/svg+xml" }));
    link.download = `${file}.svg`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  return button;
}
