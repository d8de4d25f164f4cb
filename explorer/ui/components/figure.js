// An SVG element that the explorer drew, put into the page so that it has the page's colours.

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".figure");
  if (root.drawn === data) return;
  root.drawn = data;
  root.innerHTML = data;
}
