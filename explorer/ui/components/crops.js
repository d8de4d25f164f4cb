// Draws images: of each, a part of it large, hatched where it is beyond the border, and the whole with
// a frame around that part.

const LARGE = 96, SMALL = 40; // pixels of the screen

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".crops");
  const drawn = JSON.stringify(data);
  root.open = (number) => setTriggerValue("open", number);
  if (root.drawn === drawn) return; // the page ran again, and nothing of this changed
  root.drawn = drawn;
  root.replaceChildren(...data.rows.map((row) => drawRow(row, data.opens, root)));
}

function drawRow({ heading, tiles }, opens, root) {
  const section = element("section");
  if (heading) section.append(element("h4", "", heading));
  const row = element("div", "row");
  row.append(...tiles.map((tile) => drawTile(tile, opens && tile.number >= 0, root)));
  section.append(row);
  return section;
}

function drawTile(tile, opens, root) {
  const node = element(opens ? "button" : "figure", "tile");
  if (opens) {
    node.type = "button";
    node.addEventListener("click", () => root.open(tile.number));
  }
  if (tile.hint) {
    node.title = tile.hint;
    node.setAttribute("aria-label", tile.hint);
  }
  const { width, height, window } = tile;
  const whole = paint(tile);
  const [top, bottom, left, right] = window ?? [0, height - 1, 0, width - 1];
  node.append(crop(whole, top, bottom, left, right));
  const foot = element("span", "foot");
  if (window) foot.append(framed(whole, top, bottom, left, right));
  const lines = element("span", "words");
  lines.append(...tile.lines.map((line) => element("span", "line", line)));
  foot.append(lines);
  node.append(foot);
  return node;
}

function paint({ pixels, width, height }) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const rgb = Uint8Array.from(atob(pixels), (c) => c.charCodeAt(0));
  for (let i = 0; i < width * height; i++) {
    image.data.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function crop(whole, top, bottom, left, right) {
  const rows = bottom - top + 1, columns = right - left + 1;
  const zoom = LARGE / Math.max(rows, columns);
  const canvas = element("canvas", "crop");
  const zoomed = globalThis.document?.documentElement.currentCSSZoom ?? 1;
  const ratio = (globalThis.devicePixelRatio || 1) * zoomed;
  canvas.width = Math.round(columns * zoom * ratio);
  canvas.height = Math.round(rows * zoom * ratio);
  canvas.style.width = `${columns * zoom}px`;
  canvas.style.height = `${rows * zoom}px`;
  const context = canvas.getContext("2d");
  hatch(context, canvas.width, canvas.height, 7 * ratio);
  context.imageSmoothingEnabled = false;
  const scale = zoom * ratio;
  context.drawImage(
    whole, -left * scale, -top * scale, whole.width * scale, whole.height * scale,
  );
  return canvas;
}

// Beyond the border there is no image: grey with lines across.
function hatch(context, width, height, step) {
  context.fillStyle = "#9aa0a6";
  context.fillRect(0, 0, width, height);
  context.strokeStyle = "#e8eaeb";
  context.lineWidth = step / 5;
  context.beginPath();
  for (let x = -height; x < width; x += step) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
}

function framed(whole, top, bottom, left, right) {
  const zoom = SMALL / Math.max(whole.width, whole.height);
  const around = element("span", "whole");
  around.style.width = `${whole.width * zoom}px`;
  around.style.height = `${whole.height * zoom}px`;
  const canvas = element("canvas");
  Object.assign(canvas, { width: whole.width, height: whole.height });
  canvas.getContext("2d").drawImage(whole, 0, 0);
  const frame = element("span", "frame");
  Object.assign(frame.style, {
    left: `${left * zoom}px`,
    top: `${top * zoom}px`,
    width: `${(right - left + 1) * zoom}px`,
    height: `${(bottom - top + 1) * zoom}px`,
  });
  around.append(canvas, frame);
  return around;
}

function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}
