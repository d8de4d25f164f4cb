// Draws a block's lanes: one canvas per mosaic. Hovering reads a pixel, and shows beside the pointer what
// it sees of the image; a click asks for the map to be opened; a switch turns its branch off. By keyboard,
// arrows go from pixel to pixel, Page Up and Page Down from map to map, and Enter opens. A first touch
// reads, and a second one on the same map opens.

const GAP = 2; // pixels between two maps
const TILE = 46; // pixels that a map is wide, if it can be
const NARROW = 560; // pixels of the whole, below which the image is above the lanes
const MOST_HEIGHT = 170; // pixels of one mosaic
const SIGN = 30; // pixels of an arrow or a plus, with the room around it
const CAPTION = 132; // pixels that a caption needs at least
const MOST_MERGED = 260; // pixels of the merged one
const SEEN = 84; // pixels that the image beside the pointer is wide
const FAINT = 0.25; // opacity of a map that is near zero

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".lanes");
  const focused = root.querySelector("input:focus")?.name;
  const read = root.querySelector("canvas:focus")?.dataset;
  const tip = drawTip(data.image);
  const flow = element("div", "flow");
  const beside = data.notes.length ? [drawInput(data.image, data.notes)] : [];
  root.replaceChildren(...beside, flow, tip.node);
  liveRegion();
  root.classList.toggle("alone", !beside.length);
  const tools = element("div", "tools");
  const listing = element("button", "save", data.words.data);
  listing.title = data.words.table;
  listing.addEventListener("click", () => openTable(parentElement, tableOf(data), data.words));
  tools.append(listing, saveButton(flow, data.file, data.words));
  const draw = () => {
    root.classList.toggle("narrow", root.clientWidth < NARROW);
    const context = {
      width: flow.clientWidth, tip, setTriggerValue, canSwitch: data.canSwitch !== false,
      words: data.words,
    };
    flow.replaceChildren(
      drawTitle(data, context),
      ...data.lanes.map((lane) => drawLane(lane, context)),
      ...(data.merge ? [drawMerge(data.merge, context)] : []),
      tools,
    );
    if (focused) root.querySelector(`input[name="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    if (read?.name) root.querySelector(`canvas[data-name="${CSS.escape(read.name)}"]`)?.focus({ preventScroll: true });
  };
  let width = flow.clientWidth;
  draw();
  const observer = new ResizeObserver(() => {
    if (Math.abs(flow.clientWidth - width) < 8) return;
    width = flow.clientWidth;
    draw();
  });
  observer.observe(flow);
  return () => observer.disconnect();
}

// The way from the outermost block to what is open, each a button but the last.
function drawTitle({ title, trail = [], shares }, context) {
  const node = element("div", "top");
  const line = element("div", "way");
  for (const name of trail) {
    const back = element("button", "save", name);
    back.setAttribute("aria-label", fill(context.words.back, { name }));
    back.addEventListener("click", () => context.setTriggerValue("part", name));
    line.append(back, element("span", "faint", "›"));
  }
  line.append(element("span", "title", title));
  node.append(line);
  if (shares) node.append(element("div", "faint", shares));
  return node;
}

function drawImage({ pixels, width, height }) {
  const canvas = element("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const rgb = bytes(pixels);
  for (let i = 0; i < width * height; i++) {
    image.data.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function drawInput(image, notes) {
  const node = element("div", "input");
  const picture = element("div", "picture");
  picture.append(drawImage(image));
  const lines = element("div", "words");
  lines.append(...notes.map((note) => element("div", "note", note)));
  node.append(picture, lines);
  return node;
}

// What is read at the pointer, beside it: the image with what a unit sees of it, and its value.
function drawTip(image) {
  const node = element("div", "tip");
  const picture = element("div", "picture");
  const field = element("div", "field");
  const reading = element("div", "reading");
  picture.append(drawImage(image), field);
  node.append(picture, reading);
  return {
    node,
    // Beside the place `x`, `y` of the window, in its own pixels, which are larger where a page is zoomed.
    show(x, y, lines, rows, columns) {
      reading.replaceChildren(...lines.map((line) => element("div", "", line)));
      const seen = rows && rows[0] <= rows[1] && columns[0] <= columns[1];
      field.style.display = seen ? "block" : "none";
      const zoom = SEEN / image.width;
      if (seen) {
        field.style.left = `${columns[0] * zoom}px`;
        field.style.top = `${rows[0] * zoom}px`;
        field.style.width = `${(columns[1] - columns[0] + 1) * zoom}px`;
        field.style.height = `${(rows[1] - rows[0] + 1) * zoom}px`;
      }
      node.style.display = "flex";
      const { offsetWidth: wide, offsetHeight: tall } = node;
      const zoomed = node.currentCSSZoom ?? 1;
      const [px, py] = [x / zoomed, y / zoomed];
      const left = px + 16 + wide > innerWidth / zoomed ? px - 16 - wide : px + 16;
      const top = Math.min(py + 16, innerHeight / zoomed - tall - 4);
      node.style.left = `${Math.max(4, left)}px`;
      node.style.top = `${Math.max(4, top)}px`;
    },
    rest() {
      node.style.display = "none";
    },
  };
}

function drawLane(lane, context) {
  const node = element("section", `lane${lane.name ? "" : " plain"}${lane.on === false ? " off" : ""}`);
  const { words } = context;
  if (lane.name) {
    node.style.setProperty("--hue", lane.hue);
    const head = element("div", "head");
    const label = element("label", "switch");
    const input = element("input");
    const disabled = !context.canSwitch;
    Object.assign(input, { type: "checkbox", name: lane.path, checked: lane.on, disabled });
    input.setAttribute("role", "switch");
    input.setAttribute("aria-label", fill(words.branch, { path: lane.path }));
    input.addEventListener("change", () =>
      context.setTriggerValue("switch", { path: lane.path, on: input.checked }),
    );
    label.append(input, element("b", "", lane.name));
    const off = fill(words.off, { values: lane.off });
    const facts = lane.on ? lane.facts : [...lane.facts, off];
    head.append(label, ...(lane.share ? [drawShare(lane.share, words)] : []));
    head.append(element("span", "faint", facts.join(" · ")));
    node.append(head);
  }
  node.append(drawStages(lane.stages, context, context.width - 24));
  return node;
}

// What a branch gave to the answer: to the right of the middle if it speaks for it, to the left if against.
function drawShare({ length, text }, words) {
  const node = element("span", "share");
  const bar = element("i", length < 0 ? "against" : "for");
  bar.style.width = `${50 * Math.abs(length)}%`;
  const track = element("span", "track");
  track.append(bar);
  node.append(track, element("span", "", text));
  node.title = words.share;
  return node;
}

function drawStages(stages, context, width, signs = () => "→") {
  const row = element("div", "stages");
  const most = Math.max(1, Math.floor(width / (CAPTION + SIGN)));
  const each = width / Math.min(most, Math.max(1, stages.length)) - SIGN;
  // Maps of one size are drawn in one size along a lane.
  const zoomOf = {};
  for (const stage of stages) {
    const size = `${stage.height}×${stage.width}`;
    zoomOf[size] = Math.min(zoomOf[size] ?? Infinity, fit(stage, each, MOST_HEIGHT));
  }
  stages.forEach((stage, place) => {
    const step = element("div", "step");
    if (place) step.append(element("span", "sign", signs(place)));
    step.append(drawStage(stage, context, each, zoomOf[`${stage.height}×${stage.width}`]));
    row.append(step);
  });
  return row;
}

function drawMerge(merge, context) {
  const node = element("section", "merge");
  if (merge.kind === "concat") {
    const strip = element("div", "strip");
    for (const { name, hue, channels } of merge.strip) {
      const part = element("span");
      part.style.flex = channels;
      part.style.background = hue;
      part.title = fill(context.words.strip, { name, channels });
      strip.append(part);
    }
    const zoom = fit(merge.total, context.width, MOST_MERGED);
    node.append(strip, drawStage(merge.total, context, context.width, zoom));
  } else {
    const stages = [...merge.terms, merge.total];
    const sign = (place) => (place === merge.terms.length ? "=" : { sum: "+", product: "×" }[merge.kind] ?? ",");
    node.append(drawStages(stages, context, context.width, sign));
  }
  return node;
}

function drawStage(stage, context, room, zoom) {
  const node = element("figure", `stage${stage.on === false ? " off" : ""}`);
  const { width, height, channels } = stage;
  const { words } = context;
  const across = Math.min(channels, fitting(width * zoom, room));
  const stepX = width * zoom + GAP, stepY = height * zoom + GAP;
  const canvas = element("canvas");
  canvas.width = Math.min(across, channels) * stepX - GAP;
  canvas.height = Math.ceil(channels / across) * stepY - GAP;
  canvas.style.width = `${canvas.width}px`;
  canvas.style.height = `${canvas.height}px`;
  node.style.width = `${Math.max(canvas.width, CAPTION)}px`;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", fill(words.maps, { name: stage.name, channels, height, width }));
  canvas.setAttribute("aria-description", words.keys);
  const values = halves(stage.values);
  paint(canvas, stage, values, zoom, across, stepX, stepY);

  const find = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = box.width / canvas.width;
    const x = (event.clientX - box.left) / scale, y = (event.clientY - box.top) / scale;
    const column = Math.floor((x % stepX) / zoom), row = Math.floor((y % stepY) / zoom);
    const channel = Math.floor(y / stepY) * across + Math.floor(x / stepX);
    return x >= 0 && y >= 0 && channel < channels && column < width && row < height
      ? { channel, row, column }
      : null;
  };
  const read = (at, x, y) => {
    const value = values[(at.channel * height + at.row) * width + at.column];
    const lines = [stage.name, fill(words.at, at), fill(words.value, { value: format(value) })];
    if (stage.dead?.includes(at.channel)) lines.push(words.isDead);
    if (stage.field) lines.push(fill(/^\d/.test(stage.field) ? words.seesPixels : words.sees, stage));
    const pick = (spans, place) => spans && (spans[place] ?? spans[0]);
    context.tip.show(x, y, lines, pick(stage.rows, at.row), pick(stage.columns, at.column));
    return lines;
  };
  const open = (at) => context.setTriggerValue("open", { name: stage.name, channel: at.channel });
  canvas.addEventListener("pointermove", (event) => {
    const at = event.pointerType !== "touch" && find(event);
    if (at) read(at, event.clientX, event.clientY);
    else if (event.pointerType !== "touch") context.tip.rest();
  });
  canvas.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && context.tip.rest());
  let touched = null; // the map that was read last by a touch
  canvas.addEventListener("click", (event) => {
    const at = find(event);
    context.tip.rest();
    if (!at) return;
    if (event.pointerType === "touch" && touched !== at.channel) {
      touched = at.channel;
      read(at, event.clientX, event.clientY);
    } else open(at);
  });

  Object.assign(canvas.dataset, { name: stage.name });
  canvas.tabIndex = 0;
  let at = null;
  canvas.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" && at) at = null;
    else if ((event.key === "Enter" || event.key === " ") && !event.repeat) open(at ?? { channel: 0 });
    else if (KEYS[event.key]) at = at ? moved(at, KEYS[event.key], stage, across) : { channel: 0, row: 0, column: 0 };
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (!at) return context.tip.rest();
    const box = canvas.getBoundingClientRect();
    const scale = box.width / canvas.width;
    const x = (at.channel % across) * stepX + (at.column + 0.5) * zoom;
    const y = Math.floor(at.channel / across) * stepY + (at.row + 0.5) * zoom;
    const lines = read(at, box.left + x * scale, box.top + y * scale);
    liveRegion().textContent = lines.join(". ");
    mark(canvas, (at.channel % across) * stepX + at.column * zoom, Math.floor(at.channel / across) * stepY + at.row * zoom, zoom);
  });
  canvas.addEventListener("blur", () => {
    at = null;
    context.tip.rest();
    mark(canvas);
  });

  const caption = element("figcaption");
  const name = element(stage.opens ? "button" : "span", stage.opens ? "save" : "", stage.text);
  if (stage.opens) {
    name.addEventListener("click", () => context.setTriggerValue("part", stage.opens));
  }
  const shape = element("span", "faint", ` ${stage.shape}`);
  caption.append(name, shape);
  if (stage.dead?.length) {
    const dead = element("span", "dead", fill(words.dead, { dead: stage.dead.length, channels }));
    dead.title = words.whyDead;
    caption.append(" ", dead);
  }
  caption.append(scaleBar(stage, words));
  const maps = element("div", "maps");
  maps.append(canvas);
  node.append(maps, caption);
  return node;
}

// By which channels, rows and columns a key moves.
const KEYS = {
  ArrowLeft: [0, 0, -1], ArrowRight: [0, 0, 1], ArrowUp: [0, -1, 0], ArrowDown: [0, 1, 0],
  PageUp: [-1, 0, 0], PageDown: [1, 0, 0],
};

// At the end of a map, an arrow leads to the map beside it.
function moved({ channel, row, column }, [maps, down, right], { channels, height, width }, across) {
  let [next, y, x] = [channel + maps, row + down, column + right];
  if (x < 0 || x >= width) next += right;
  if (y < 0 || y >= height) next += down * across;
  if (next < 0 || next >= channels) return { channel, row, column };
  y = (y + height) % height;
  x = (x + width) % width;
  return { channel: next, row: y, column: x };
}

// A frame around the pixel that is read by keyboard; none without a place.
function mark(canvas, x, y, size) {
  const own = canvas.parentElement.querySelector(".mark");
  if (x === undefined) return own?.remove();
  const node = own ?? element("i", "mark");
  Object.assign(node.style, { left: `${x}px`, top: `${y}px`, width: `${size}px`, height: `${size}px` });
  canvas.after(node);
}

// How many pixels of the screen one pixel of a map has, so that all maps fit into a room.
function fit({ width, height, channels }, room, mostHeight) {
  for (let zoom = Math.max(1, Math.round(TILE / width)); zoom > 1; zoom--) {
    const rows = Math.ceil(channels / fitting(width * zoom, room));
    if (rows * (height * zoom + GAP) <= mostHeight) return zoom;
  }
  return 1;
}

function fitting(size, room) {
  return Math.max(1, Math.floor((room + GAP) / (size + GAP)));
}

function paint(canvas, stage, values, zoom, across, stepX, stepY) {
  const { width, height, channels, ends, hues } = stage;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  const colours = table(stage.ramp);
  const tile = new OffscreenCanvas(width, height);
  const tileContext = tile.getContext("2d");
  const image = tileContext.createImageData(width, height);
  for (let channel = 0; channel < channels; channel++) {
    const end = ends[channel] ?? ends[0];
    for (let i = 0; i < width * height; i++) {
      const value = values[channel * width * height + i] / end;
      const place = stage.signed ? (value + 1) / 2 : value;
      const at = 3 * Math.round(255 * Math.min(1, Math.max(0, place || 0)));
      image.data.set([colours[at], colours[at + 1], colours[at + 2], 255], 4 * i);
    }
    tileContext.putImageData(image, 0, 0);
    const x = (channel % across) * stepX, y = Math.floor(channel / across) * stepY;
    const isQuiet = stage.quiet?.includes(channel);
    if (isQuiet) context.globalAlpha = FAINT;
    context.drawImage(tile, x, y, width * zoom, height * zoom);
    context.globalAlpha = 1;
    if (isQuiet) frame(context, x, y, width * zoom, height * zoom);
    if (hues) {
      context.fillStyle = hues[channel];
      context.fillRect(x, y, width * zoom, 2);
    }
    if (stage.off.includes(channel)) cross(context, x, y, width * zoom, height * zoom);
  }
}

// A map that is near zero: its place, so that it is not taken for the page.
function frame(context, x, y, width, height) {
  context.strokeStyle = "rgb(128 128 128 / 0.5)";
  context.lineWidth = 1;
  context.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
}

// A channel that is switched off.
function cross(context, x, y, width, height) {
  context.strokeStyle = "#d1495b";
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x + 2, y + 2);
  context.lineTo(x + width - 2, y + height - 2);
  context.moveTo(x + width - 2, y + 2);
  context.lineTo(x + 2, y + height - 2);
  context.stroke();
}

function scaleBar(stage, words) {
  const node = element("span", "scale");
  const bar = element("i");
  bar.style.background = `linear-gradient(90deg, ${stage.ramp.map(([at, c]) => `${c} ${100 * at}%`)})`;
  bar.dataset.ramp = stage.ramp.map(([, colour]) => colour).join(" ");
  const one = stage.ends.length === 1;
  const end = one ? format(stage.ends[0]) : words.ends;
  const low = stage.signed ? (one ? `−${end}` : "−") : "0";
  const high = one ? end : stage.signed ? `+ ${end}` : end;
  node.append(element("span", "faint", low), bar, element("span", "faint", high));
  return node;
}

// A row for each map that is drawn.
function tableOf({ title, lanes, merge, words }) {
  const stages = [...lanes.flatMap((lane) => lane.stages), ...(merge ? [...merge.terms, merge.total] : [])];
  const rows = stages.flatMap(rowsOf.bind(null, words));
  const dead = stages.reduce((sum, stage) => sum + (stage.dead?.length ?? 0), 0);
  return {
    says: fill(dead ? words.saysDead : words.says, { title, maps: rows.length, dead }),
    columns: [words.part, words.what, words.channel, words.minimum, words.mean, words.maximum, words.state],
    rows,
  };
}

function rowsOf(words, { name, text, channels, height, width, values, dead, off }) {
  const size = height * width;
  const numbers = halves(values);
  const short = (value) => Number(value.toPrecision(3)); // as exact as half precision is
  return Array.from({ length: channels }, (_, channel) => {
    const own = numbers.subarray(channel * size, (channel + 1) * size);
    const mean = own.reduce((sum, value) => sum + value, 0) / size;
    const ends = own.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
    const state = off.includes(channel) ? words.offMap : dead?.includes(channel) ? words.deadMap : "";
    return [name, text, channel, short(ends[0]), short(mean), short(ends[1]), state];
  });
}

// All mosaics and their captions as one picture, as on the page.
function saveButton(flow, file, words) {
  const button = element("button", "save", words.save);
  button.addEventListener("click", () => {
    const sharp = 2;
    const frame = flow.getBoundingClientRect();
    const picture = element("canvas");
    picture.width = sharp * frame.width;
    picture.height = sharp * frame.height;
    const context = picture.getContext("2d");
    const style = getComputedStyle(flow);
    const zoomed = flow.currentCSSZoom ?? 1;
    context.scale(sharp, sharp);
    context.fillStyle = style.getPropertyValue("--st-background-color") || "#fff";
    context.fillRect(0, 0, frame.width, frame.height);
    context.imageSmoothingEnabled = false;
    context.textBaseline = "middle";
    for (const node of flow.querySelectorAll("canvas, b, span, .strip > span, .scale > i")) {
      const box = node.getBoundingClientRect();
      const x = box.left - frame.left, y = box.top - frame.top;
      const own = getComputedStyle(node);
      context.globalAlpha = Number(own.opacity) * Number(getComputedStyle(node.parentElement).opacity);
      if (node.tagName === "CANVAS") {
        context.drawImage(node, x, y, box.width, box.height);
      } else if (node.tagName === "I") {
        const ramp = context.createLinearGradient(x, 0, x + box.width, 0);
        const stops = node.dataset.ramp.split(" ");
        stops.forEach((colour, place) => ramp.addColorStop(place / (stops.length - 1), colour));
        context.fillStyle = ramp;
        context.fillRect(x, y, box.width, box.height);
      } else if (!node.textContent) {
        context.fillStyle = own.backgroundColor;
        context.fillRect(x, y, box.width, box.height);
      } else if (!node.children.length) {
        context.fillStyle = own.color;
        context.font = `${own.fontWeight} ${zoomed * parseFloat(own.fontSize)}px ${own.fontFamily}`;
        context.fillText(node.textContent, x, y + box.height / 2);
      }
    }
    const link = element("a");
    Object.assign(link, { href: picture.toDataURL(), download: `${file}.png` });
    link.click();
  });
  return button;
}

// 256 colours along a ramp of [place, "#rrggbb"] stops.
function table(ramp) {
  const colours = new Uint8ClampedArray(3 * 256);
  for (let i = 0; i < 256; i++) {
    const place = i / 255;
    const next = Math.max(1, ramp.findIndex(([at]) => at >= place));
    const [[from, low], [to, high]] = [ramp[next - 1], ramp[next]];
    const way = (place - from) / (to - from);
    for (let c = 0; c < 3; c++) {
      const part = (hex) => parseInt(hex.slice(1 + 2 * c, 3 + 2 * c), 16);
      colours[3 * i + c] = part(low) + way * (part(high) - part(low));
    }
  }
  return colours;
}

function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

// Half-precision floats (IEEE 754 binary16), little-endian.
function halves(text) {
  const codes = new Uint16Array(bytes(text).buffer);
  return Float32Array.from(codes, (code) => {
    const sign = code & 0x8000 ? -1 : 1;
    const exponent = (code >> 10) & 0x1f, fraction = code & 0x3ff;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return exponent
      ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024)
      : sign * 2 ** -14 * (fraction / 1024);
  });
}

function format(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const large = size >= 1000 || size < 0.001;
  const digits = large ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  return digits.replaceAll("-", "−");
}

function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}
