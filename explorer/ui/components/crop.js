// A picture with its ink in blue and a frame around it. The frame is moved and sized by the pointer,
// and by the arrow keys: with Shift they move its lower right corner. What it holds is sent when it
// comes to rest.

const LEAST = 0.02; // share of the picture that a frame's side has at least
const STEP = 0.01; // by which an arrow key moves it
const REST = 500; // milliseconds after the last key
const CORNERS = [
  ["left", "top", "nwse-resize"],
  ["right", "top", "nesw-resize"],
  ["left", "bottom", "nesw-resize"],
  ["right", "bottom", "nwse-resize"],
];

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function moved([left, top, right, bottom], dx, dy) {
  const x = clamp(dx, -left, 1 - right);
  const y = clamp(dy, -top, 1 - bottom);
  return [left + x, top + y, right + x, bottom + y];
}

function sized([left, top, right, bottom], across, down, dx, dy) {
  if (across === "left") left = clamp(left + dx, 0, right - LEAST);
  else right = clamp(right + dx, left + LEAST, 1);
  if (down === "top") top = clamp(top + dy, 0, bottom - LEAST);
  else bottom = clamp(bottom + dy, top + LEAST, 1);
  return [left, top, right, bottom];
}

export default function ({ data, parentElement, setTriggerValue }) {
  const find = (name) => parentElement.querySelector(name);
  const picture = find(".picture");
  const frame = find(".frame");
  const reset = find(".reset");
  const { words } = data;
  for (const name of ["original", "ink", "result"]) {
    const image = find(`.${name}`);
    if (image.src !== data[name]) image.src = data[name];
    image.alt = words[name] ?? "";
  }
  reset.textContent = words.reset;
  reset.disabled = !data.chosen;
  reset.onclick = () => setTriggerValue("crop", []);

  let box = data.box;
  const show = () => {
    const [left, top, right, bottom] = box;
    frame.style.left = `${100 * left}%`;
    frame.style.top = `${100 * top}%`;
    frame.style.width = `${100 * (right - left)}%`;
    frame.style.height = `${100 * (bottom - top)}%`;
    const shares = Object.entries({ left, top, right, bottom });
    const written = shares.map(([side, share]) => [side, `${Math.round(100 * share)} %`]);
    frame.setAttribute("aria-label", fill(words.frame, Object.fromEntries(written)));
  };
  const send = () => setTriggerValue("crop", box.map((share) => Number(share.toFixed(4))));

  const drag = (event, change) => {
    event.preventDefault();
    event.stopPropagation();
    const begun = { x: event.clientX, y: event.clientY, box };
    const { width, height } = picture.getBoundingClientRect();
    const follow = (now) => {
      box = change(begun.box, (now.clientX - begun.x) / width, (now.clientY - begun.y) / height);
      show();
    };
    const end = () => {
      window.removeEventListener("pointermove", follow);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
      if (box !== begun.box) send();
    };
    window.addEventListener("pointermove", follow);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  };

  frame.replaceChildren(
    ...CORNERS.map(([across, down, cursor]) => {
      const corner = document.createElement("span");
      corner.className = "corner";
      corner.style.cssText = `${across}: -12px; ${down}: -12px; cursor: ${cursor}`;
      corner.onpointerdown = (event) =>
        drag(event, (from, dx, dy) => sized(from, across, down, dx, dy));
      return corner;
    }),
  );
  frame.onpointerdown = (event) => drag(event, moved);
  frame.onkeydown = (event) => {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (!way) return;
    event.preventDefault();
    const [dx, dy] = way.map((each) => each * STEP);
    box = event.shiftKey ? sized(box, "right", "bottom", dx, dy) : moved(box, dx, dy);
    show();
    clearTimeout(frame.timer);
    frame.timer = setTimeout(send, REST);
  };
  show();
}
