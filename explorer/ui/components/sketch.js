// Axes to draw a curve on: the height nearest to the pointer at each place it passes. With the
// keyboard, left and right choose a place, up and down move its height.

const HEIGHT = 240, LEFT = 52, BELOW = 40, ROOM = 12;
const SVG = "http://www.w3.org/2000/svg";

const sketches = new Map(); // by element: what is drawn outlives a run of the page

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

export default function ({ data, parentElement, setStateValue }) {
  const sheet = parentElement.querySelector(".sheet");
  const done = parentElement.querySelector(".done");
  const clear = parentElement.querySelector(".clear");
  const { x, low, high, percent, words } = data;
  if (!sketches.has(sheet)) sketches.set(sheet, { heights: x.map(() => null), place: 0 });
  const state = sketches.get(sheet);

  // As wide as on the page, so that its text has the size of other text.
  const width = () => sheet.clientWidth || 480;
  const across = (i) => LEFT + ((width() - LEFT - ROOM) * i) / Math.max(1, x.length - 1);
  const down = (y) => ROOM + (HEIGHT - ROOM - BELOW) * (1 - (y - low) / (high - low));

  const written = (y) => (percent ? `${Math.round(100 * y)} %` : `${+y.toPrecision(3)}`);

  const show = () => {
    sheet.setAttribute("viewBox", `0 0 ${width()} ${HEIGHT}`);
    sheet.setAttribute("aria-label", words.sheet);
    sheet.replaceChildren();
    for (let step = 0; step <= 4; step++) {
      const y = low + ((high - low) * step) / 4;
      sheet.append(element("line", { x1: LEFT, x2: width() - ROOM, y1: down(y), y2: down(y) }));
      sheet.append(
        element("text", { x: LEFT - 6, y: down(y) + 4, "text-anchor": "end" }, written(y)),
      );
    }
    x.forEach((value, i) =>
      sheet.append(
        element("text", { x: across(i), y: HEIGHT - BELOW + 16, "text-anchor": "middle" }, value),
      ),
    );
    const middle = (LEFT + width() - ROOM) / 2;
    sheet.append(element("text", { x: middle, y: HEIGHT - 6, "text-anchor": "middle" }, words.axis));
    const points = state.heights
      .map((y, i) => [i, y])
      .filter(([, y]) => y !== null)
      .map(([i, y]) => [across(i), down(y)]);
    sheet.append(element("polyline", { points: points.map((p) => p.join(",")).join(" ") }));
    for (const [cx, cy] of points) sheet.append(element("circle", { cx, cy, r: 5 }));
    done.disabled = points.length < x.length;
    clear.disabled = !points.length;
  };

  const draw = (event) => {
    const box = sheet.getBoundingClientRect();
    const px = ((event.clientX - box.left) * width()) / box.width;
    const py = ((event.clientY - box.top) * HEIGHT) / box.height;
    const i = Math.round(((px - LEFT) / (width() - LEFT - ROOM)) * (x.length - 1));
    const share = 1 - (py - ROOM) / (HEIGHT - ROOM - BELOW);
    const y = low + (high - low) * Math.min(1, Math.max(0, share));
    if (i < 0 || i >= x.length) return;
    // A quick stroke passes places between two events.
    const from = state.last ?? i;
    for (let each = Math.min(from, i); each <= Math.max(from, i); each++) {
      if (each !== from || from === i) state.heights[each] = y;
    }
    state.last = i;
    show();
  };

  sheet.onpointerdown = (event) => {
    sheet.setPointerCapture(event.pointerId);
    state.last = null;
    draw(event);
  };
  sheet.onpointermove = (event) => event.buttons && draw(event);
  sheet.onkeydown = (event) => {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step && !move) return;
    event.preventDefault();
    if (move) state.place = Math.min(x.length - 1, Math.max(0, state.place + move));
    const before = state.heights[state.place] ?? (low + high) / 2;
    const after = before + ((step ?? 0) * (high - low)) / 20;
    state.heights[state.place] = Math.min(high, Math.max(low, after));
    show();
  };
  done.textContent = words.done;
  clear.textContent = words.clear;
  clear.onclick = () => {
    state.heights.fill(null);
    show();
  };
  done.onclick = () => setStateValue("drawn", [...state.heights]);
  state.show = show;
  if (!state.resized) {
    state.resized = new ResizeObserver(() => state.show());
    state.resized.observe(sheet);
  }
  show();
}
