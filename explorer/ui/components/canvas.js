// A black square to draw on in white, by a pointer or by keys. Strokes are kept as lists of points and all painted on every
// change, so that one more point, an undone stroke and the small picture for the server share the same
// few lines.

const SIZE = 240; // CSS pixels a side; all points are in these
const PEN = 20; // for a digit of this size, as thick as those of MNIST
const STRIDE = 10; // by which an arrow key moves the pen
const REST = 600; // milliseconds after the last key, after which what the pen drew is sent
const SENT = 112; // pixels a side of what the server gets

// By the caller's key. It outlives the element, which is made again when a visitor comes back to a page.
// `base` is a picture from the server, such as that of a link, that strokes are drawn on.
const drawings = new Map();

// What is drawn outlives a reload too: the address has a stroke a moment later only.
const stored = (key) => `explorer drawing ${key}`;

function store(key, { strokes, content }) {
  try {
    sessionStorage.setItem(stored(key), JSON.stringify({ strokes, content }));
  } catch {
    // Nothing may be kept here, as in some frames of other sites.
  }
}

function restored(key) {
  const [navigation] = performance.getEntriesByType("navigation");
  if (navigation?.type !== "reload") return null;
  try {
    const kept = JSON.parse(sessionStorage.getItem(stored(key)));
    return kept?.strokes?.length ? kept : null;
  } catch {
    return null;
  }
}

function paint(canvas, { base, strokes }) {
  const context = canvas.getContext("2d");
  const scale = canvas.width / SIZE;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.fillStyle = "#000";
  context.fillRect(0, 0, SIZE, SIZE);
  if (base) context.drawImage(base, 0, 0, SIZE, SIZE);
  context.strokeStyle = "#fff";
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
  for (const points of strokes) {
    context.beginPath();
    context.moveTo(...points[0]);
    // A curve from midpoint to midpoint has no corners where the pointer was seen.
    for (let i = 1; i < points.length - 1; i++) {
      const [x, y] = points[i];
      const [nextX, nextY] = points[i + 1];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    const [x, y] = points.at(-1);
    context.lineTo(x + 0.01, y); // a line without length, a dot, is not painted by all browsers
    context.stroke();
  }
}

function encode(drawing) {
  const small = document.createElement("canvas");
  small.width = small.height = SENT;
  paint(small, drawing);
  return small.toDataURL("image/png").split(",")[1];
}

export default function ({ data, parentElement, setStateValue }) {
  const canvas = parentElement.querySelector("canvas");
  const hint = parentElement.querySelector(".hint");
  const undo = parentElement.querySelector(".undo");
  const clear = parentElement.querySelector(".clear");
  let kept = null;
  if (!drawings.has(data.key)) {
    kept = restored(data.key);
    drawings.set(data.key, { strokes: kept?.strokes ?? [], content: null, base: null, version: 0 });
  }
  const drawing = drawings.get(data.key);
  const { strokes } = drawing;
  const isEmpty = () => !strokes.length && !drawing.base;

  const show = () => {
    paint(canvas, drawing);
    hint.hidden = !isEmpty();
    undo.disabled = clear.disabled = isEmpty();
  };
  const send = () => {
    store(data.key, drawing);
    const content = isEmpty() ? null : encode(drawing);
    setStateValue("picture", { version: drawing.version, content });
  };
  const take = (count) => {
    if (canvas.pointer !== undefined || isEmpty()) return;
    const taken = strokes.splice(-count).length;
    if (taken < count) drawing.base = drawing.content = null;
    show();
    send();
  };

  const add = (event) => {
    const { left, top, width } = canvas.getBoundingClientRect();
    const seen = event.getCoalescedEvents?.() ?? [];
    for (const { clientX, clientY } of seen.length ? seen : [event]) {
      strokes.at(-1).push([((clientX - left) * SIZE) / width, ((clientY - top) * SIZE) / width]);
    }
    show();
  };
  canvas.onpointerdown = (event) => {
    if (event.button !== 0 || canvas.pointer !== undefined) return; // a second finger draws nothing
    canvas.pointer = event.pointerId;
    canvas.setPointerCapture(event.pointerId);
    strokes.push([]);
    add(event);
  };
  canvas.onpointermove = (event) => {
    if (event.pointerId === canvas.pointer) add(event);
  };
  canvas.onpointerup = canvas.onpointercancel = (event) => {
    if (event.pointerId !== canvas.pointer) return;
    canvas.pointer = undefined;
    send();
  };
  // By keyboard: a pen that arrows move, and that Space puts down or lifts.
  const pen = parentElement.querySelector(".pen");
  const place = canvas.place ??= { x: SIZE / 2, y: SIZE / 2, isDown: false };
  const follow = (isSeen) => {
    pen.hidden = !isSeen;
    pen.classList.toggle("down", place.isDown);
    pen.style.left = `${(100 * place.x) / SIZE}%`;
    pen.style.top = `${(100 * place.y) / SIZE}%`;
  };
  const tell = (text) => {
    liveRegion().textContent = text;
  };
  const lift = () => {
    if (!place.isDown) return;
    place.isDown = false;
    clearTimeout(canvas.rest);
    send();
  };
  const putDown = () => {
    place.isDown = true;
    strokes.push([[place.x, place.y]]);
    show();
  };
  const step = (across, down) => {
    place.x = Math.min(Math.max(place.x + across * STRIDE, 0), SIZE);
    place.y = Math.min(Math.max(place.y + down * STRIDE, 0), SIZE);
    if (!place.isDown) return;
    strokes.at(-1).push([place.x, place.y]);
    show();
    clearTimeout(canvas.rest);
    canvas.rest = setTimeout(send, REST);
  };
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.onkeydown = (event) => {
    const undoes = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if (undoes || event.key === "Delete" || event.key === "Backspace") {
      place.isDown = false;
      take(undoes ? 1 : Infinity);
    } else if (event.ctrlKey || event.metaKey || event.altKey || canvas.pointer !== undefined) return;
    else if (ways[event.key]) step(...ways[event.key]);
    else if (event.key === " " && !event.repeat) {
      if (place.isDown) lift();
      else putDown();
      tell(place.isDown ? words.down : words.up);
    } else if (event.key === "Escape") lift();
    else return;
    event.preventDefault();
    follow(true);
  };
  canvas.onblur = () => {
    lift();
    follow(false);
  };
  canvas.onfocus = () => follow(canvas.matches(":focus-visible"));
  undo.onclick = () => take(1);
  clear.onclick = () => take(Infinity);

  // A picture below the strokes; it takes a moment to decode.
  const lay = (content, then) => {
    const version = data.version;
    Object.assign(drawing, { version, content, base: null });
    const base = new Image();
    base.src = `data:image/png;base64,${content}`;
    base.decode().then(() => {
      if (drawing.version === version && drawing.content === content) drawing.base = base;
      show();
      then();
    });
  };

  const { words } = data;
  canvas.setAttribute("aria-label", words.sheet);
  hint.textContent = words.hint;
  undo.textContent = words.undo;
  undo.setAttribute("aria-label", words.undoLast);
  clear.textContent = words.clear;
  clear.setAttribute("aria-label", words.clearAll);
  if (kept) {
    drawing.version = data.version;
    if (kept.content) lay(kept.content, send);
    else send();
  } else if (drawing.version !== data.version) {
    Object.assign(drawing, { version: data.version, content: null, base: null });
    strokes.length = 0;
    if (data.drawing) lay(data.drawing, () => {});
    store(data.key, { strokes, content: data.drawing });
  }
  show();
}
