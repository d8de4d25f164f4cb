// An SVG drawing whose parts with a name can be opened.

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".drawing");
  if (root.drawn === data) return;
  root.drawn = data;
  const focused = root.querySelector(":focus")?.dataset.name;
  root.innerHTML = data;
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
