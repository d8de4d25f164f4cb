// The script of a page that `explorer export --html` writes: all that it shows is in the page itself.
// Python puts the app's components before it, as `lanes` and `drawing`.

const byId = (id) => document.getElementById(id);
const [common, ...packs] = document.querySelectorAll('script[type="application/octet-stream"]');
const LARGE = 416; // screen pixels of a large map, about
const CURVE = 300; // screen pixels that a curve is high

let given; // what is not of one image
let turn = 0; // counts what was asked for, since images take a moment to unpack

const said = (name, values = {}) => fill(given.words[name], values);

async function start() {
  if (!window.DecompressionStream) throw new Error(byId("failed").dataset.old);
  given = (await unpack(common)).document;
  given.curves.forEach((curve) => drawCurve(curve));
  drawImages();
  for (const { name, text } of given.parts) {
    byId("part").append(Object.assign(element("option", `${name}: ${text}`), { value: name }));
  }
  byId("part").addEventListener("change", (event) => go({ part: event.target.value }));
  byId("all").addEventListener("click", () => go({ off: [] }));
  byId("large-back").addEventListener("click", () => enlarge(large.mosaic, large.channel - 1));
  byId("large-on").addEventListener("click", () => enlarge(large.mosaic, large.channel + 1));
  byId("large-map").addEventListener("pointermove", readLarge);
  window.addEventListener("hashchange", () => show().catch(fail));
  await show();
}

function fail(error) {
  const { reason } = byId("failed").dataset;
  byId("failed").textContent = fill(reason, { reason: error.message });
  byId("failed").hidden = false;
}

// --- the state, which is in the address

function read() {
  const said = new URLSearchParams(location.hash.slice(1));
  const place = given.images.findIndex(({ number }) => String(number) === said.get("image"));
  const names = given.parts.map(({ name }) => name);
  const off = said.has("off") ? said.getAll("off").filter(Boolean) : given.off;
  return {
    image: Math.max(0, place),
    part: names.includes(said.get("part")) ? said.get("part") : given.first,
    off: [...new Set(off)],
  };
}

function go(change) {
  const { image, part, off } = { ...read(), ...change };
  const says = new URLSearchParams({ image: given.images[image].number, part });
  off.forEach((path) => says.append("off", path));
  if (!off.length && given.off.length) says.append("off", "");
  location.hash = says.toString();
}

function toggle(path, on) {
  const others = read().off.filter((other) => other !== path);
  go({ off: on ? others : [...others, path] });
}

// Which of the computed states has exactly this switched off; −1 if none has.
function computed(off) {
  return given.states.findIndex(
    (state) => state.length === off.length && state.every((path) => off.includes(path)),
  );
}

// --- what is shown

async function show() {
  const mine = ++turn;
  const state = read();
  const image = given.images[state.image];
  const { document: seen, content } = await unpack(packs[state.image]);
  if (mine !== turn) return;
  const at = computed(state.off);
  byId("images").querySelectorAll("input")[state.image].checked = true;
  byId("part").value = state.part;
  byId("all").hidden = state.off.length === 0;
  showApp(image, state);
  showDrawing(state, at);
  showAnswer(image, at);
  showBranches(image, state);
  const number = at < 0 ? undefined : seen.index[at][state.part];
  showUnknown(image, state, at, number);
  byId("lanes").hidden = number === undefined;
  if (number !== undefined) showLanes(seen, content, number, image, at);
}

function showApp({ number }, { part, off }) {
  const link = byId("app");
  link.hidden = !given.app;
  if (!given.app) return;
  const says = new URLSearchParams({ net: given.net, epoch: given.epoch, image: number, part });
  off.forEach((path) => says.append("off", path));
  link.href = `${given.app}?${says}`;
}

function showUnknown({ number }, { off, part }, at, view) {
  const note = byId("unknown");
  note.hidden = view !== undefined;
  if (view !== undefined) return;
  const names = new Set(given.states.flat());
  const strange = off.filter((path) => !names.has(path));
  const command = element(
    "code",
    ["explorer", "inspect", given.net, "--image", number, ...off.flatMap((o) => ["--off", quote(o)])].join(" "),
  );
  if (at < 0) {
    const [switches, all] = [strange, off].map((paths) => paths.join(given.words.comma));
    note.replaceChildren(said(strange.length ? "noSwitch" : "notComputed", { switches, off: all }), " ", command);
  } else {
    note.replaceChildren(said("noMaps", { part }), " ", command);
  }
}

function quote(path) {
  return /^[\w.:#()-]+$/.test(path) && !/[()#]/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

const mounts = {};

// Draws with a component of the app, in a shadow root, so that its styles are its own.
function mount(id, html, component, data, triggers) {
  if (!mounts[id]) {
    const root = byId(id).attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(component.style);
    root.adoptedStyleSheets = [sheet];
    root.innerHTML = html;
    mounts[id] = { root };
  }
  const own = mounts[id];
  own.end?.();
  const setTriggerValue = (name, value) => triggers[name](value);
  own.end = component.show({ data, parentElement: own.root, setTriggerValue });
  return own.root;
}

const AROUND = `<div class="around"><div class="drawing"></div>
<div class="side back" hidden><button type="button">‹</button></div>
<div class="side on" hidden><button type="button">›</button></div>
<div class="tools"><button type="button" class="data"></button><button type="button" class="save"></button></div></div>`;

function showDrawing({ part, off }, at) {
  const svg = given.drawings[Math.max(0, at)];
  const data = { svg, file: given.file, words: given.drawing };
  const root = mount("drawing", AROUND, drawing, data, { open: (name) => go({ part: name }) });
  const named = ({ dataset }) => (dataset.names ? JSON.parse(dataset.names) : [dataset.name]);
  for (const box of root.querySelectorAll("[data-name]")) {
    box.classList.toggle("opened", named(box).includes(part));
  }
  reveal(root.querySelector(".drawing"), root.querySelector(".opened"));
  if (at >= 0) return;
  for (const lane of root.querySelectorAll("[data-branch]")) {
    lane.classList.toggle("off", off.includes(lane.dataset.branch));
  }
}

// Scrolls sideways until a part is seen; `scrollIntoView` would scroll the page as well.
function reveal(around, part) {
  if (!part) return;
  const [frame, box] = [around.getBoundingClientRect(), part.getBoundingClientRect()];
  if (box.left >= frame.left && box.right <= frame.right) return;
  around.scrollLeft += box.left - frame.left - Math.max(0, frame.width - box.width) / 2;
}

function showLanes(seen, content, number, image, at) {
  const view = seen.views[number];
  for (const mosaic of mosaics(view)) {
    if (!Array.isArray(mosaic.values)) continue;
    mosaic.floats = floats(content, mosaic);
    mosaic.values = base64(new Uint8Array(Uint16Array.from(mosaic.floats, toHalf).buffer));
  }
  const { pixels, height, width } = seen;
  const data = {
    ...view,
    image: { pixels, height, width },
    notes: [predicted(image, at), accuracyText(at)],
    file: `${given.file}-${image.number}`,
    words: given.lanes,
  };
  const root = mount("lanes", '<div class="lanes"></div>', lanes, data, {
    switch: ({ path, on }) => toggle(path, on),
    open: ({ name, channel }) => enlarge(mosaics(view).find((m) => m.name === name), channel),
    part: (name) => go({ part: name }),
  });
  reachable(root);
  if (mounts.lanes.watched) return;
  mounts.lanes.watched = new MutationObserver(() => reachable(root)); // they are drawn again when resized
  mounts.lanes.watched.observe(root, { childList: true, subtree: true });
}

// By keyboard as by pointer: Enter opens the first map of a mosaic.
function reachable(root) {
  for (const canvas of root.querySelectorAll(".flow canvas")) {
    canvas.tabIndex = 0;
    canvas.onkeydown = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      const { left, top } = canvas.getBoundingClientRect();
      const [clientX, clientY] = [Math.ceil(left), Math.ceil(top)]; // events are at whole pixels
      canvas.dispatchEvent(new MouseEvent("click", { clientX, clientY }));
    };
  }
}

function mosaics(view) {
  const merge = view.merge ? [...view.merge.terms, view.merge.total] : [];
  return [...view.lanes.flatMap(({ stages }) => stages), ...merge];
}

// --- the prediction

function softmax(logits) {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

function best(shares) {
  return shares.indexOf(Math.max(...shares));
}

function percent(share) {
  return share < 0.9995 ? `${(100 * share).toFixed(1)} %` : ">99.9 %";
}

function says(logits) {
  const shares = softmax(logits);
  return said("answer", { label: given.classes[best(shares)], share: percent(Math.max(...shares)) });
}

function predicted(image, at) {
  if (at < 0) return given.words.unknown;
  const [answer, label] = [says(image.logits[at]), given.classes[image.label]];
  return said(best(image.logits[at]) === image.label ? "predicted" : "wrong", { answer, label });
}

function accuracyText(at) {
  if (at < 0) return "";
  const [[intact], [now]] = [given.scores[0], given.scores[at]];
  const accuracy = said("accuracy", { accuracy: (100 * now).toFixed(2) });
  return at ? said("change", { accuracy, points: points(now - intact) }) : accuracy;
}

function points(change) {
  const text = (100 * change).toFixed(2);
  return text.startsWith("-") ? text.replace("-", "−") : `+${text}`;
}

function showAnswer(image, at) {
  const answer = byId("answer");
  answer.replaceChildren(element("b", predicted(image, at)));
  if (at > 0) answer.append(element("div", said("intact", { answer: says(image.logits[0]) })));
  answer.append(element("div", accuracyText(at)));
  const before = softmax(image.logits[0]);
  const now = at < 0 ? null : softmax(image.logits[at]);
  const order = given.classes.map((_, place) => place);
  if (order.length > 10) {
    const most = (place) => Math.max(before[place], now ? now[place] : 0);
    order.sort((a, b) => most(b) - most(a)).splice(10);
  }
  const bars = element("div", "", "bars");
  for (const place of order) {
    const label = element("span", given.classes[place], "class");
    label.dir = "auto";
    if (place === image.label) {
      label.classList.add("correct");
      label.append(" ✓");
    }
    const track = element("span", "", "track");
    if (now) {
      const bar = element("span", "", place === best(now) ? "now best" : "now");
      bar.style.width = `${100 * now[place]}%`;
      track.append(bar);
    }
    if (at !== 0) {
      const bar = element("span", "", "before");
      bar.style.width = `${100 * before[place]}%`;
      if (before[place] >= 0.005) track.append(bar);
    }
    const share = now ? now[place] : before[place];
    bars.append(label, track, element("span", share >= 0.0005 ? percent(share) : ""));
  }
  const legend = at === 0 ? [] : [element("p", given.words.dashed, "quiet")];
  byId("bars").replaceChildren(bars, ...legend);
}

// --- branches

function showBranches(image, { off }) {
  const singles = given.states.map((state, at) => [state, at]).filter(([state]) => state.length === 1);
  byId("worth").hidden = singles.length === 0;
  byId("scored").textContent = said("scored", { accuracy: (100 * given.scores[0][0]).toFixed(2) });
  const focused = document.activeElement?.dataset?.switch;
  const rows = singles.map(([[path], at]) => {
    const row = element("tr");
    const head = element("th");
    head.scope = "row";
    const label = element("label");
    const input = Object.assign(element("input"), { type: "checkbox", checked: !off.includes(path) });
    input.setAttribute("role", "switch");
    input.dataset.switch = path;
    input.addEventListener("change", () => toggle(path, input.checked));
    const name = element("bdi", path);
    label.append(input, name);
    head.append(label);
    const [accuracy] = given.scores[at];
    const same = best(image.logits[at]) === best(image.logits[0]);
    const says_ = element("td");
    says_.append(element(same ? "span" : "b", says(image.logits[at])));
    row.append(
      head,
      element("td", `${(100 * accuracy).toFixed(2)} %`),
      element("td", points(accuracy - given.scores[0][0])),
      says_,
    );
    return row;
  });
  byId("branches").replaceChildren(...rows);
  if (focused) byId("branches").querySelector(`[data-switch="${CSS.escape(focused)}"]`)?.focus();
}

// --- images

function drawImages() {
  given.images.forEach((image, place) => {
    const label = element("label");
    const input = Object.assign(element("input"), { type: "radio", name: "image", value: place });
    input.addEventListener("change", () => go({ image: place }));
    const canvas = element("canvas");
    canvas.setAttribute("aria-hidden", "true");
    unpack(packs[place]).then(({ document: seen }) => paintImage(canvas, seen)).catch(fail);
    const words = element("span");
    words.dir = "auto";
    words.textContent = why(image);
    label.append(input, canvas, words);
    byId("images").append(label);
  });
}

function why({ number, why, switch: path, label, logits }) {
  const own = given.classes[label];
  const about = (name, scores = logits[0]) => said(name, { label: own, other: given.classes[best(scores)], path });
  if (why === "asked") return `#${number}: ${about(best(logits[0]) === label ? "right" : "takenFor")}`;
  if (why !== "flip") return `#${number}: ${about(why)}`;
  const at = computed([path]);
  return `#${number}: ${at < 0 ? own : about("flip", logits[at])}`;
}

function paintImage(canvas, { pixels, width, height }) {
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const rgb = lanes.bytes(pixels);
  for (let i = 0; i < width * height; i++) {
    image.data.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

// --- one map, large

const large = { mosaic: null, channel: 0 };

function enlarge(mosaic, channel) {
  const { channels, width, height, name, ends } = mosaic;
  channel = (channel + channels) % channels;
  Object.assign(large, { mosaic, channel });
  const zoom = Math.max(1, Math.floor(LARGE / Math.max(width, height)));
  const size = width * height;
  const own = mosaic.floats.subarray(channel * size, (channel + 1) * size);
  const canvas = byId("large-map");
  Object.assign(canvas, { width: width * zoom, height: height * zoom });
  const alone = { ...mosaic, channels: 1, hues: null, off: [], ends: [ends[channel] ?? ends[0]] };
  lanes.paint(canvas, alone, own, zoom, 1, width * zoom, height * zoom);
  canvas.setAttribute("aria-label", said("map", { channel, name }));
  byId("large-title").textContent = said("mapOf", { name, channel, channels });
  const [least, most] = [Math.min, Math.max].map((end) => lanes.format(own.reduce((a, b) => end(a, b))));
  byId("large-reading").textContent = said("range", { height, width, least, most });
  if (!byId("large").open) byId("large").showModal();
}

function readLarge(event) {
  const { width, height, floats: values } = large.mosaic;
  const box = event.target.getBoundingClientRect();
  const column = Math.floor(((event.clientX - box.left) / box.width) * width);
  const row = Math.floor(((event.clientY - box.top) / box.height) * height);
  if (column < 0 || row < 0 || column >= width || row >= height) return;
  const value = values[(large.channel * height + row) * width + column];
  byId("large-reading").textContent = said("pixel", { row, column, value: lanes.format(value) });
}

// --- curves

function drawCurve(curve) {
  const chart = element("div", "", "chart");
  const reading = element("div", "", "reading");
  reading.setAttribute("aria-live", "polite");
  const place = element("div");
  chart.append(element("div", curve.name, "name"), place, reading);
  byId("charts").append(chart);
  const at = { line: curve.lines.length - 1, point: curve.lines.at(-1).x.length - 1 };
  let width = 0;
  const draw = () => {
    if (Math.abs(place.clientWidth - width) < 2) return;
    width = place.clientWidth;
    const focused = place.contains(document.activeElement);
    place.replaceChildren(curveSvg(curve, width, at, reading));
    if (focused) place.firstChild.focus();
  };
  draw();
  new ResizeObserver(draw).observe(place);
}

function curveSvg(curve, width, at, reading) {
  const { epochs, xticks, ticks, range, lines } = curve;
  const height = CURVE;
  const last = (line) => line.texts.at(-1) ?? "";
  const [left, right, bottom, top] = [46, 116, 40, 8];
  const x = (epoch) => left + (epoch / epochs) * (width - left - right);
  const y = (place) => top + ((range[1] - place) / (range[1] - range[0])) * (height - top - bottom);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, height, tabindex: 0, role: "application" });
  svg.setAttribute("aria-label", curve.keys);
  for (const [place, text] of ticks) {
    svg.append(shape("line", { class: "grid", x1: left, x2: width - right, y1: y(place), y2: y(place) }));
    svg.append(words(text, left - 6, y(place) + 4, "end"));
  }
  const step = Math.max(1, Math.ceil((xticks.length * 28) / Math.max(1, width - left - right)));
  xticks.forEach((tick, i) => {
    if (i % step === 0) svg.append(words(String(tick), x(tick), height - bottom + 18, "middle"));
  });
  svg.append(words(given.words.epoch, (left + width - right) / 2, height - 4, "middle"));
  // What is below the axis, as a run's first steps, is not drawn.
  const plot = shape("svg", { x: 0, y: top - 8, width, height: height - bottom - top + 8, viewBox: `0 ${top - 8} ${width} ${height - bottom - top + 8}` });
  svg.append(plot);
  for (const { x: xs, y: ys, colour, width: thick, dash } of lines) {
    const path = xs.map((epoch, i) => `${i ? "L" : "M"}${x(epoch).toFixed(1)},${y(ys[i]).toFixed(1)}`).join("");
    plot.append(
      shape("path", { d: path, fill: "none", stroke: colour, "stroke-width": thick, ...(dash && { "stroke-dasharray": "6 4" }) }),
    );
    if (dash) continue;
    xs.forEach((epoch, i) => plot.append(shape("circle", { cx: x(epoch), cy: y(ys[i]), r: thick, fill: colour })));
  }
  labels(lines, y, height - bottom).forEach(([line, place]) => {
    const start = width - right + 10;
    svg.append(words(fill(line.end, { value: last(line) }), start, place + 4, "start"));
  });
  const ring = shape("circle", { class: "at", r: 7, visibility: "hidden" });
  svg.append(ring);
  const point = (line, i) => {
    Object.assign(at, { line, point: i });
    const { x: xs, y: ys, texts } = lines[line];
    ring.setAttribute("cx", x(xs[i]));
    ring.setAttribute("cy", Math.min(y(ys[i]), height - bottom));
    ring.setAttribute("visibility", "visible");
    const values = { epoch: Number(xs[i].toFixed(2)), value: texts[i] };
    reading.textContent = fill(lines[line].reading, values);
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let found = null;
    lines.forEach(({ x: xs, y: ys }, line) =>
      xs.forEach((epoch, i) => {
        const far = Math.hypot(x(epoch) - px, y(ys[i]) - py);
        if (!found || far < found[0]) found = [far, line, i];
      }),
    );
    if (found) point(found[1], found[2]);
  });
  svg.addEventListener("keydown", (event) => {
    const [across, along] = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key] ?? [];
    if (across === undefined) return;
    event.preventDefault();
    const line = (at.line + across + lines.length) % lines.length;
    let i = at.point + along;
    if (across) {
      const now = lines[at.line].x[at.point];
      i = lines[line].x.reduce((near, epoch, k) => (Math.abs(epoch - now) < Math.abs(lines[line].x[near] - now) ? k : near), 0);
    }
    point(line, Math.min(lines[line].x.length - 1, Math.max(0, i)));
  });
  return svg;
}

// Each line, and how high its label is: at its end, but not on another label.
function labels(lines, y, lowest) {
  const found = lines.filter(({ y: ys }) => ys.length).map((line) => [line, y(line.y.at(-1))]);
  found.sort((a, b) => a[1] - b[1]);
  for (let i = 1; i < found.length; i++) found[i][1] = Math.max(found[i][1], found[i - 1][1] + 16);
  for (let i = found.length - 1, most = lowest; i >= 0; i--, most -= 16) found[i][1] = Math.min(found[i][1], most);
  return found;
}

function shape(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
  return node;
}

function words(text, x, y, anchor) {
  const node = shape("text", { x, y, "text-anchor": anchor });
  node.textContent = text;
  return node;
}

function element(tag, text = "", name = "") {
  const node = document.createElement(tag);
  if (text) node.textContent = text;
  if (name) node.className = name;
  return node;
}

// --- packed data

const unpacked = new Map();

// Returns a promise of the document in a pack, and of the bytes beside it.
function unpack(pack) {
  if (!unpacked.has(pack)) unpacked.set(pack, inflate(pack.textContent));
  return unpacked.get(pack);
}

async function inflate(text) {
  const stream = new Blob([lanes.bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const whole = await new Response(stream).arrayBuffer();
  const length = new DataView(whole).getUint32(0, true);
  const document = JSON.parse(new TextDecoder().decode(new Uint8Array(whole, 4, length)));
  return { document, content: whole.slice(4 + length) };
}

// The values of a mosaic, which are rounded to steps of a size that each map has.
function floats(content, { values: [at, kind], channels, height, width }) {
  const size = height * width;
  if (kind === "half") return lanes.halves(base64(new Uint8Array(content, at, 2 * channels * size)));
  const steps = new Float32Array(content.slice(at, at + 4 * channels));
  const Codes = kind === "signed" ? Int8Array : Uint8Array;
  const codes = new Codes(content, at + 4 * channels, channels * size);
  return Float32Array.from(codes, (code, i) => code * steps[Math.floor(i / size)]);
}

function base64(view) {
  let text = "";
  for (let i = 0; i < view.length; i += 8192) text += String.fromCharCode(...view.subarray(i, i + 8192));
  return btoa(text);
}

const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

// Half-precision floats (IEEE 754 binary16), as the lanes take them.
function toHalf(value) {
  if (Number.isNaN(value)) return 0x7e00;
  single[0] = value;
  const sign = (singleBits[0] >>> 16) & 0x8000;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24);
  // A fraction that is rounded up to the next power of two carries into the exponent, as it should.
  return sign | ((((singleBits[0] & 0x7fffffff) - 0x38000000 + 0x1000) >>> 13) & 0x7fff);
}

start().catch(fail);
