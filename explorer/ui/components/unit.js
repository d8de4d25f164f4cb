// Shows how the units of one map were computed. All sums are done here, from the recorded values,
// so that they follow the pointer; the server is asked only for another map.

const ROWS = 12; // sources that are drawn at once, before more are asked for
const FEW = 6; // sources up to which they stay in their own order
const MAP = 84, PLAIN = 132, THUMB = 52, LARGE = 248; // pixels of a map
const CELL = 40, SMALLEST = 8; // pixels of a cell of a window
const SIGN = 18; // pixels of × and =
const REST = 250; // milliseconds without a movement, after which what is slow is done
const SWEEP = 14; // seconds that Play takes for a whole map at most
const PACE = 8; // units a second at least
const NARROW = 640; // pixels, below which the result is above what is read
const PADDED = -1, ABSENT = -2; // explorer/inspection/units.py

// --- arithmetic

// Turn what the server sent into arrays.
export function decode(data) {
  return data.steps.map((step) => ({
    ...step,
    values: singles(step.values),
    sources: (step.sources ?? []).map((source) => ({ ...source, values: singles(source.values) })),
    ...(step.weights ? { weights: singles(step.weights) } : {}),
    ...(step.rest ? { rest: doubles(step.rest) } : {}),
    ...Object.fromEntries(
      ["mean", "variance", "scale", "shift"]
        .filter((name) => name in step)
        .map((name) => [name, typeof step[name] === "string" ? doubles(step[name]) : step[name]]),
    ),
  }));
}

// Compute one unit of a step: its terms, what they make, and what the network recorded.
export function compute(step, y, x, before) {
  const at = y * step.width + x;
  const recorded = step.values[at];
  const own = step.sources.length ? step.sources[0].values[at] : before?.values[at];
  const number = (name) => (typeof step[name] === "number" ? step[name] : step[name][at]);
  switch (step.kind) {
    case "Weighted": {
      const terms = step.sources.map((_, source) => dot(step, source, y, x));
      const sum = terms.reduce((a, b) => a + b, 0);
      const rest = step.rest ? step.rest[at] : 0;
      return { terms, sum, rest, value: sum + rest + (step.bias ?? 0), recorded };
    }
    case "Pooled": {
      const terms = windowOf(step, step.sources[0], y, x).filter((value) => value !== null);
      const sum = terms.reduce((a, b) => a + b, 0);
      const divisor = step.divisor ?? terms.length;
      const value = { max: Math.max(...terms), sum, mean: sum / divisor }[step.of];
      return { terms, sum, divisor, value, recorded };
    }
    case "Normalised": {
      const [mean, variance, scale, shift] = ["mean", "variance", "scale", "shift"].map(number);
      const value = ((own - mean) / Math.sqrt(variance + step.epsilon)) * scale + shift;
      return { terms: [own], mean, variance, scale, shift, value, recorded };
    }
    case "Merged": {
      const terms = step.sources.map((source) => source.values[at]);
      const value = terms.reduce((a, b, place) => merge(step.signs[place], a, b));
      return { terms, value, recorded };
    }
    case "Copied": {
      const place = step.places[at];
      const value = place < 0 ? recorded : step.sources[0].values[place];
      return { terms: [value], place, value, recorded };
    }
    case "SwitchedOff":
      return { terms: [], value: 0, recorded };
    default: // a function of one value, or unknown
      return { terms: own === undefined ? [] : [own], value: recorded, recorded };
  }
}

function merge(sign, a, b) {
  switch (sign) {
    case "+": return a + b;
    case "−": return a - b;
    case "×": return a * b;
    case "÷": return a / b;
    case "max": return Math.max(a, b);
    default: return Math.min(a, b);
  }
}

function dot(step, source, y, x) {
  const [height, width] = step.kernel;
  const { values, width: stride } = step.sources[source];
  const rows = step.rows[y], columns = step.columns[x];
  let sum = 0, at = source * height * width;
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++, at++) {
      if (rows[i] >= 0 && columns[j] >= 0) {
        sum += step.weights[at] * values[rows[i] * stride + columns[j]];
      }
    }
  }
  return sum;
}

// The values that a unit reads, row by row; `null` where it reads nothing.
export function windowOf(step, source, y, x) {
  return step.rows[y].flatMap((row) =>
    step.columns[x].map((column) => {
      if (row === ABSENT || column === ABSENT) return null;
      return row < 0 || column < 0 ? 0 : source.values[row * source.width + column];
    }),
  );
}

// How many decimals the numbers of a step have: four digits of the largest, and no more than those
// in which what is computed here, in double precision, is what the network recorded, in single.
export function decimals(found, most = 9) {
  const numbers = [found.recorded, ...found.terms].map(Math.abs).filter(Number.isFinite);
  const largest = Math.max(...numbers, 0);
  const four = largest ? Math.min(most, Math.max(0, 3 - Math.floor(Math.log10(largest)))) : 3;
  for (let digits = four; digits >= Math.max(0, four - 2); digits--) {
    if (agree(found, digits)) return digits;
  }
  return four;
}

function agree({ value, recorded }, digits) {
  const same = Object.is(value, recorded) || value === recorded;
  return same || Math.abs(value) >= 1e6 || Number(value.toFixed(digits)) === Number(recorded.toFixed(digits));
}

export function fixed(value, digits) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const text = Math.abs(value) >= 1e6 ? value.toExponential(3) : value.toFixed(digits);
  return text.replace(/^-(?=[0.]+$)/, "").replaceAll("-", "−");
}

// All steps at one unit, in these words. A function of one value has the decimals of that value.
export function explainAll(steps, y, x, words = {}) {
  const all = [];
  steps.forEach((step, place) => {
    const before = all[place - 1];
    const most = step.kind === "Pointwise" && before ? before.digits : 9;
    all.push(explain(step, y, x, steps[place - 1], most, before?.digits, words));
  });
  return all;
}

// What a step does at one unit, in words and numbers: rows of [words, number], the last its value.
function explain(step, y, x, before, most, digitsBefore, words) {
  const found = compute(step, y, x, before);
  const digits = decimals(found, most);
  const write = (value) => fixed(value, digits);
  const inner = (value) => (value < 0 ? `(${write(value)})` : write(value));
  const given = (value) => fixed(value, step.sources.length ? digits : (digitsBefore ?? digits));
  const total = write(found.recorded);
  const own = found.terms[0];
  const say = (name, values = {}) => fill(words[name] ?? "", values);
  const rows = [];
  switch (step.kind) {
    case "Weighted": {
      const { sources, others, kernel } = step;
      const [height, width] = kernel;
      const cells = height * width;
      const sum = sources.length > 1 ? (cells > 1 ? "inputsOfProducts" : "inputs") : cells > 1 ? "products" : "product";
      const count = sources.length > 1 ? sources.length : cells;
      rows.push([say(sum, { count, height, width }), write(found.sum)]);
      if (step.rest) rows.push([say("others", { count: others }), write(found.rest)]);
      if (step.bias !== null) rows.push([say("bias"), write(step.bias)]);
      break;
    }
    case "Pooled": {
      const count = found.terms.length;
      if (step.of === "max") {
        const values = found.terms.map(write).join(words.comma);
        rows.push([count <= 9 ? say("largestOf", { values }) : say("largestOfMany", { count }), ""]);
      }
      else {
        rows.push([say("sum", { count }), write(found.sum)]);
        if (step.of === "mean") rows.push([`÷ ${found.divisor}`, ""]);
      }
      break;
    }
    case "Normalised": {
      const scaled = step.scale === 1 && step.shift === 0 ? "" :
        ` × ${inner(found.scale)} ${found.shift < 0 ? "−" : "+"} ${write(Math.abs(found.shift))}`;
      const centred = found.mean === 0 ? given(own) : `(${given(own)} ${found.mean < 0 ? "+" : "−"} ${write(Math.abs(found.mean))})`;
      rows.push([`${centred} / √(${short(found.variance)} + ${short(step.epsilon)})${scaled}`, ""]);
      break;
    }
    case "Pointwise": {
      const number = /^(max|min|x if)\b/.test(step.formula) || own >= 0 ? given(own) : `(${given(own)})`;
      const filled = step.formula.replace(/(?<![\p{L}])x(?![\p{L}ˣ])/gu, number);
      const { formula } = step;
      rows.push([/ˣ|Φ/.test(formula) ? say("where", { formula, value: given(own) }) : filled, ""]);
      break;
    }
    case "Merged": {
      step.sources.forEach((source, place) =>
        rows.push([`${place ? `${step.signs[place]} ` : ""}${source.text}`, write(found.terms[place])]),
      );
      break;
    }
    case "Copied": {
      const { width, text: name } = step.sources[0];
      const row = Math.floor(found.place / width), column = found.place % width;
      rows.push([found.place < 0 ? say("padded") : say("copied", { name, row, column }), ""]);
      break;
    }
    case "SwitchedOff":
      rows.push([say("isOff"), ""]);
      break;
    default:
  }
  const differs = !agree(found, digits);
  if (differs) rows.push([say("rounded"), ""]);
  return { rows, total, digits, found, differs };
}

// --- the panel

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".unit");
  if (root.panel?.id !== data.id) {
    root.panel = new Panel(root, data);
    if (data.scroll) root.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
  }
  root.panel.tell = setTriggerValue;
  root.panel.follow(data.unit);
  return root.panel.listen();
}

class Panel {
  constructor(root, data) {
    const { words } = data;
    Object.assign(this, { root, data, words, id: data.id, steps: decode(data), shown: 0, by: "" });
    this.asked = this.steps[data.asked];
    this.main = this.steps[0];
    this.pinned = this.at = this.said = [this.asked.height >> 1, this.asked.width >> 1];
    this.visited = -1; // while it plays, units after this one are pale
    this.by = this.main.sources.length > FEW ? "contribution" : "index";
    this.order = this.main.sources.map((_, place) => place);
    const { main } = this;
    const weights = { ramp: main["ramp of weights"], end: main["end of weights"], signed: true };
    if (main.sources.length) this.paint = painter(main["scale of sources"]);
    if (main.weights) {
      this.paintWeight = painter(weights);
      this.paintProduct = painter({ ramp: SIGNED, end: main["scale of sources"].end * weights.end, signed: true });
    }
    this.build();
  }

  // Take over the unit that the address says, unless it is what was said to it.
  follow(unit) {
    if (!unit || unit.join() === this.said.join()) return;
    this.said = unit;
    this.pin(unit, false);
  }

  listen() {
    const close = (event) => {
      const { tagName } = event.target;
      const elsewhere = tagName === "INPUT" || tagName === "TEXTAREA" || event.defaultPrevented;
      if (event.key === "Escape" && !elsewhere) this.tell("close", Date.now());
    };
    document.addEventListener("keydown", close);
    let width = this.root.clientWidth;
    const observer = new ResizeObserver(() => {
      if (Math.abs(this.root.clientWidth - width) < 8) return;
      width = this.root.clientWidth;
      this.build();
    });
    observer.observe(this.root);
    return () => {
      document.removeEventListener("keydown", close);
      observer.disconnect();
    };
  }

  build() {
    const { root, data, words } = this;
    root.setAttribute("aria-label", words.title);
    root.classList.toggle("narrow", root.clientWidth < NARROW);
    this.reads = element("div", "reads");
    this.result = element("div", "result");
    root.replaceChildren(this.head(), element("div", "both"));
    root.lastChild.append(this.reads, this.result);
    if (data.facts.length) {
      const facts = data.facts.reduce((first, second) => fill(words.then, { first, second }));
      root.append(element("div", "faint facts", facts));
    }
    this.buildResult();
    this.buildReads();
    this.sort();
    this.draw();
  }

  head() {
    const { data, words } = this;
    const node = element("div", "head");
    const name = element("b", "", data.part);
    const step = (by) => () => this.open(data.part, (data.channel + by + data.channels) % data.channels);
    const place = element("span", "place");
    place.append(...shades(fill(words.channel, { channel: data.channel, last: data.channels - 1 })));
    const back = button("‹", words.before, step(-1)), on = button("›", words.after, step(1));
    node.append(name, back, place, on);
    if (data.switch) {
      const label = element("label", "switch");
      const input = element("input");
      Object.assign(input, { type: "checkbox", checked: data.switch.on });
      input.setAttribute("role", "switch");
      input.setAttribute("aria-label", words.isOn);
      input.addEventListener("change", () => this.tell("switch", { path: data.switch.path, on: input.checked }));
      label.append(input, element("span", "", input.checked ? words.on : words.off));
      node.append(label);
    }
    const close = button("✕", words.close, () => this.tell("close", Date.now()));
    close.classList.add("close");
    node.append(close);
    return node;
  }

  open(part, channel) {
    this.tell("open", { name: part, channel });
  }

  // The maps on the right: what was asked for, large, and all steps with their numbers.
  buildResult() {
    const { asked, data, words } = this;
    const zoom = Math.max(1, Math.floor(Math.min(LARGE, this.root.clientWidth - 24) / Math.max(asked.height, asked.width)));
    const wide = Math.min(zoom, 60);
    this.large = sharp(asked.width * wide, asked.height * wide);
    Object.assign(this.large.dataset, { zoom: wide });
    this.large.className = "large";
    this.large.tabIndex = 0;
    this.large.setAttribute("role", "img");
    const units = asked.height * asked.width;
    const { part, channel } = data;
    const { height, width } = asked;
    this.large.setAttribute("aria-label", fill(words.map, { part, channel, height, width }));
    this.picture = bitmap(asked.values, asked.width, asked.height, asked);
    const find = (event) => {
      const box = this.large.getBoundingClientRect();
      const x = Math.floor(((event.clientX - box.left) / box.width) * asked.width);
      const y = Math.floor(((event.clientY - box.top) / box.height) * asked.height);
      return [clamp(y, asked.height), clamp(x, asked.width)];
    };
    this.pointed(this.large, find);
    this.large.addEventListener("keydown", (event) => this.key(event));
    this.controls = element("div", "controls");
    if (units > 1) {
      this.play = button(`▶ ${words.play}`, words.slides, () => this.toggle());
      this.controls.append(this.play);
    }
    this.where = element("span", "where faint");
    this.controls.append(this.where);
    this.lines = this.steps.map((step, place) => this.line(step, place));
    this.spoken = element("div", "spoken");
    this.spoken.setAttribute("aria-live", "polite");
    this.result.append(this.large, bar(asked), this.controls, ...this.lines.map(({ node }) => node), this.spoken);
    if (data.readers.length) {
      const node = element("div", "readers");
      const links = data.readers.slice(0, 4).flatMap((name, place) => {
        const link = element("button", "link", name);
        link.addEventListener("click", () => this.open(name, 0));
        return place ? [words.comma, link] : [link];
      });
      const more = data.readers.length - 4;
      const [before, after] = (more > 0 ? words.readByMore : words.readBy).split("{parts}");
      node.append(...shades(before), ...links, ...shades(fill(after, { count: more })));
      this.result.append(node);
    }
  }

  // One step: what it is, its numbers, and its map if it is not the large one.
  line(step, place) {
    const node = element("section", `step${place === this.data.asked ? " asked" : place > this.data.asked ? " after" : ""}`);
    const title = element("div", "title");
    title.append(element("span", "what", place ? `→ ${step.text}` : step.text));
    if (step.part && step.part !== this.data.part && step.kind !== "SwitchedOff") {
      const link = element("button", "link faint", step.part);
      link.addEventListener("click", () => this.open(step.part, this.data.channel));
      title.append(link);
    }
    const body = element("div", "body");
    const table = element("div", "sum");
    let thumb = null;
    if (place !== this.data.asked && step.height * step.width > 1) {
      thumb = sharp(...fit(step, THUMB));
      thumb.picture = bitmap(step.values, step.width, step.height, step);
      body.append(thumb);
    }
    body.append(table);
    node.append(title, body);
    if (step.sentence) node.append(element("div", "faint", step.sentence));
    return { node, table, thumb, cells: [] };
  }

  buildReads() {
    const { main, words } = this;
    this.rows = [];
    if (!main.sources.length) {
      this.reads.remove();
      this.root.classList.add("alone");
      return;
    }
    const head = element("div", "columns");
    const list = element("div", "list");
    list.addEventListener("scroll", () => {
      this.look();
      this.redraw();
    });
    const isWindow = main.rows !== undefined;
    const count = main.sources.length + (main.others ?? 0);
    head.append(element("span", "title", count > 1 ? fill(words.maps, { count }) : words.oneMap));
    if (main.kind === "Weighted" && main.sources.length > 2) {
      const group = element("span", "group");
      for (const [by, name] of [["contribution", words.largest], ["index", words.byChannel]]) {
        const choice = button(name, "", () => this.sortBy(by));
        choice.setAttribute("aria-pressed", this.by === by);
        choice.dataset.by = by;
        group.append(choice);
      }
      head.append(group);
    }
    const scale = element("span", "scales");
    scale.append(bar({ ...main["scale of sources"] }, words.values));
    if (main.weights) {
      scale.append(bar({ ramp: main["ramp of weights"], end: main["end of weights"], signed: true }, words.weights));
    }
    head.append(scale);
    this.reads.append(head, list);
    const room = list.clientWidth - 8;
    const [kernelHeight, kernelWidth] = !isWindow ? [0, 0] : [main.rows[0].length, main.columns[0].length];
    const isMap = main.sources.some(({ height, width }) => height * width > 1);
    this.whole = isWindow && kernelHeight === main.sources[0].height && kernelWidth === main.sources[0].width && main.height * main.width === 1;
    const times = main.kind === "Weighted" ? 3 : this.whole ? 0 : 1;
    this.map = isWindow ? MAP : PLAIN;
    const mapRoom = isMap ? this.map + 12 : 0;
    const beside = room - mapRoom;
    const across = (space) => Math.floor((space - (times - 1) * SIGN) / Math.max(1, times * kernelWidth));
    this.stacked = times > 1 && across(beside) < 32 && across(room) > across(beside);
    this.cell = Math.max(SMALLEST, Math.min(CELL, across(this.stacked ? room : beside), Math.floor(260 / Math.max(1, kernelHeight))));
    const trio = times * kernelWidth * this.cell + Math.max(0, times - 1) * SIGN;
    const least = this.stacked ? room : Math.min(room, Math.max(150, mapRoom + trio + 4));
    list.style.gridTemplateColumns = `repeat(auto-fill, minmax(${least}px, 1fr))`;
    Object.assign(this, { kernelHeight, kernelWidth, isMap, times, list });
    const first = this.root.classList.contains("narrow") ? ROWS / 3 : ROWS;
    this.more(Math.min(Math.max(this.shown, first), main.sources.length));
  }

  more(count) {
    const { main, list, words } = this;
    list.querySelector(".rest")?.remove();
    while (this.rows.length < count) this.rows.push(this.row(list));
    const hidden = main.sources.length - this.rows.length;
    if (hidden > 0 || main.others) {
      const node = element("div", "rest");
      this.hidden = element("span", "number");
      const count = hidden + (main.others ?? 0);
      node.append(element("span", "faint", fill(words.rest, { count })), this.hidden);
      if (hidden > 0) {
        const next = Math.min(hidden, 2 * ROWS);
        const show = element("button", "link", fill(words.more, { count: next }));
        show.addEventListener("click", () => {
          this.shown = this.rows.length + next;
          this.more(this.shown);
          this.draw();
        });
        node.append(show);
      }
      list.append(node);
    } else this.hidden = null;
    this.look();
  }

  row(list) {
    const { main, cell, kernelHeight, kernelWidth, times } = this;
    const node = element("div", "row");
    const label = element("button", "label link");
    const row = { node, label, source: -1, number: element("span", "number") };
    label.addEventListener("click", () => {
      const source = main.sources[row.source];
      if (source.part) this.open(source.part, source.channel);
    });
    node.append(label, row.number);
    const sizes = element("div", "maps");
    if (this.isMap) {
      row.map = sharp(...fit(main.sources[0], this.map));
      this.pointed(row.map, (event) => this.reading(row.map, event));
      sizes.append(row.map);
    }
    if (times && kernelWidth) {
      row.cells = sharp(times * kernelWidth * cell + (times - 1) * SIGN, kernelHeight * cell);
      row.cells.className = "cells";
      row.cells.addEventListener("pointermove", (event) => this.pointAtCell(row, event));
      row.cells.addEventListener("pointerleave", () => (node.title = ""));
      sizes.append(row.cells);
    }
    if (sizes.children.length) node.append(sizes);
    list.append(node);
    return row;
  }

  // Say what is in the cell under the pointer.
  pointAtCell(row, event) {
    const { main, cell, kernelWidth, times } = this;
    const box = row.cells.getBoundingClientRect();
    const zoomed = row.cells.currentCSSZoom ?? 1; // the page's, by which boxes are larger than pixels
    const block = kernelWidth * cell + SIGN;
    const x = (event.clientX - box.left) / zoomed, y = (event.clientY - box.top) / zoomed;
    const j = Math.floor((x % block) / cell), i = Math.floor(y / cell);
    if (j >= kernelWidth || i >= this.kernelHeight || i < 0) return;
    const value = windowOf(main, main.sources[row.source], ...this.at)[i * kernelWidth + j];
    if (value === null) node.title = "";
    else if (times === 1) row.node.title = short(value);
    else {
      const weight = main.weights[(row.source * this.kernelHeight + i) * kernelWidth + j];
      row.node.title = `${short(value)} × ${short(weight)} = ${short(value * weight)}`;
    }
  }

  // --- where the unit is

  pointed(canvas, find) {
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse" || this.playing) return;
      this.move(find(event));
    });
    canvas.addEventListener("pointerleave", () => !this.playing && this.move(this.pinned));
    canvas.addEventListener("click", (event) => {
      this.stop();
      this.pin(find(event), true);
    });
  }

  // The unit whose window is around the pointer on a map that is read.
  reading(canvas, event) {
    const { main } = this;
    const source = main.sources[0];
    const box = canvas.getBoundingClientRect();
    const y = ((event.clientY - box.top) / box.height) * source.height - 0.5;
    const x = ((event.clientX - box.left) / box.width) * source.width - 0.5;
    if (main.rows) return [nearest(main.rows, y), nearest(main.columns, x)];
    if (main.kind === "Copied") {
      const row = clamp(Math.round(y), source.height), column = clamp(Math.round(x), source.width);
      const at = main.places.indexOf(row * source.width + column);
      return at < 0 ? this.at : [Math.floor(at / main.width), at % main.width];
    }
    return [clamp(Math.round(y), main.height), clamp(Math.round(x), main.width)];
  }

  move(unit) {
    if (unit.join() === this.at.join()) return;
    this.at = unit;
    this.redraw();
    this.rested();
  }

  // Draw at the next frame, once.
  redraw() {
    this.wanted ??= requestAnimationFrame(() => {
      this.wanted = null;
      this.draw();
    });
  }

  // Do what would be too much for each movement once the unit rests.
  rested() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (this.playing) return;
      this.sort();
      this.draw();
      const { words } = this;
      const [row, column] = this.at;
      const { rows, total: value } = explainAll(this.steps, row, column, words)[this.data.asked];
      const steps = rows.map((each) => each.join(" ").trim()).join(words.comma);
      this.spoken.textContent = fill(words.spoken, { row, column, steps, value });
    }, REST);
  }

  pin(unit, say) {
    this.pinned = [clamp(unit[0], this.asked.height), clamp(unit[1], this.asked.width)];
    this.at = [-1, -1];
    this.move(this.pinned);
    if (!say) return;
    clearTimeout(this.saying);
    this.saying = setTimeout(() => {
      this.said = this.pinned;
      this.tell("unit", { y: this.pinned[0], x: this.pinned[1] });
    }, 2 * REST);
  }

  key(event) {
    const [y, x] = this.pinned;
    const { height, width } = this.asked;
    const to = {
      ArrowUp: [y - 1, x], ArrowDown: [y + 1, x], ArrowLeft: [y, x - 1], ArrowRight: [y, x + 1],
      Home: [0, 0], End: [height - 1, width - 1],
    }[event.key];
    if (to) this.stop(), this.pin([clamp(to[0], height), clamp(to[1], width)], true);
    else if (event.key === " ") this.toggle();
    else return;
    event.preventDefault();
  }

  // --- Play

  toggle() {
    if (this.playing) return this.stop();
    const { height, width } = this.asked;
    const units = height * width;
    const pace = Math.max(PACE, units / SWEEP);
    this.play.textContent = `❚❚ ${this.words.stop}`;
    const begun = performance.now();
    const frame = (now) => {
      if (!this.root.isConnected) return;
      const unit = Math.floor(((now - begun) / 1000) * pace);
      if (unit >= units) return this.stop();
      if (unit !== this.visited) {
        this.visited = unit;
        this.at = [Math.floor(unit / width), unit % width];
        this.draw();
      }
      this.playing = requestAnimationFrame(frame);
    };
    this.playing = requestAnimationFrame(frame);
  }

  stop() {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing);
    this.playing = null;
    this.visited = -1;
    this.play.textContent = `▶ ${this.words.play}`;
    this.pin(this.at, true);
    this.draw();
  }

  // --- drawing

  sortBy(by) {
    this.by = by;
    for (const choice of this.reads.querySelectorAll("[data-by]")) {
      choice.setAttribute("aria-pressed", choice.dataset.by === by);
    }
    this.sort();
    this.draw();
  }

  sort() {
    const { main } = this;
    this.order = main.sources.map((_, place) => place);
    if (this.by !== "contribution" || main.kind !== "Weighted") return;
    const { terms } = compute(main, ...this.at);
    this.order.sort((a, b) => Math.abs(terms[b]) - Math.abs(terms[a]) || a - b);
  }

  draw() {
    const [y, x] = this.at;
    this.drawLarge(y, x);
    const isMap = this.asked.height * this.asked.width > 1;
    this.where.textContent = isMap ? fill(this.words.at, { row: y, column: x }) : "";
    const all = explainAll(this.steps, y, x, this.words);
    this.steps.forEach((step, place) => {
      const { rows, total } = all[place];
      this.write(this.lines[place], rows, total);
      const { thumb } = this.lines[place];
      if (thumb) drawMap(thumb, step, [[y, x]]);
    });
    this.drawReads(y, x, all[0].found, all[0].digits);
  }

  // Numbers change at each movement, so the nodes stay.
  write(line, rows, total) {
    const all = [...rows, ["=", total]];
    while (line.cells.length < all.length) {
      const text = element("span", "words"), number = element("span", "number");
      line.cells.push([text, number]);
      line.table.append(text, number);
    }
    line.cells.forEach(([text, number], place) => {
      const [said, value] = all[place] ?? ["", ""];
      const last = place === all.length - 1;
      set(text, said);
      set(number, value);
      text.hidden = number.hidden = place >= all.length;
      number.classList.toggle("total", last);
      text.classList.toggle("wide", !value);
    });
  }

  drawLarge(y, x) {
    const { large, asked, picture } = this;
    const context = large.getContext("2d");
    const [width, height] = [large.logical[0], large.logical[1]];
    const zoom = width / asked.width;
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;
    const row = Math.floor(this.visited / asked.width), column = this.visited % asked.width;
    if (this.playing) {
      context.globalAlpha = 0.18;
      context.drawImage(picture, 0, 0, width, height);
      context.globalAlpha = 1;
      context.save();
      context.beginPath();
      context.rect(0, 0, width, row * zoom);
      context.rect(0, row * zoom, (column + 1) * zoom, zoom);
      context.clip();
      context.drawImage(picture, 0, 0, width, height);
      context.restore();
    } else context.drawImage(picture, 0, 0, width, height);
    outline(context, x * zoom, y * zoom, zoom, zoom);
  }

  drawReads(y, x, found, digits) {
    const { main } = this;
    if (!this.rows.length) return;
    const { color, fontFamily } = getComputedStyle(this.root);
    this.ink = { color, small: `12px ${fontFamily}`, large: `16px ${fontFamily}` };
    const isWeighted = main.kind === "Weighted";
    const places = this.placesRead(y, x);
    const box = main.rows && this.box(y, x);
    let shown = 0;
    this.rows.forEach((row, place) => {
      const number = this.order[place];
      const source = main.sources[number];
      if (row.source !== number) {
        row.source = number;
        const alone = source.isImage && main.sources.length === 1;
        const sign = main.kind === "Merged" && number ? `${main.signs[number]} ` : "";
        set(row.label, sign + (alone || !(source.part || source.isImage) ? source.text : `${source.text} · ${source.channel}`));
        row.label.disabled = !source.part;
        row.label.title = source.part ? this.words.open : "";
        if (row.map) row.map.picture = source.picture ??= bitmap(source.values, source.width, source.height, main["scale of sources"]);
      }
      if (row.seen) {
        if (row.map) drawMap(row.map, source, places, box);
        if (row.cells) this.drawCells(row, y, x);
      }
      const own = isWeighted ? found.terms[number] : main.kind === "Merged" ? found.terms[number] : found.terms[0];
      set(row.number, main.kind === "Pooled" ? "" : `${isWeighted ? (this.kernelWidth * this.kernelHeight > 1 ? "Σ " : "") : ""}${fixed(own, digits)}`);
      if (isWeighted) shown += own;
    });
    if (this.hidden) set(this.hidden, fixed(found.sum + found.rest - shown, digits));
  }

  // Note which rows are in the part of the list that is scrolled to; the others are not drawn.
  look() {
    const { list } = this;
    const box = list.getBoundingClientRect();
    const all = list.scrollHeight <= list.clientHeight + 1;
    for (const row of this.rows) {
      const own = row.node.getBoundingClientRect();
      row.seen = all || (own.top < box.bottom && own.bottom > box.top);
    }
  }

  // The places of a source that the unit reads, if they are not one rectangle.
  placesRead(y, x) {
    const { main } = this;
    if (main.kind === "Copied") {
      const place = main.places[y * main.width + x];
      const { width } = main.sources[0];
      return place < 0 ? [] : [[Math.floor(place / width), place % width]];
    }
    if (!main.rows) return [[y, x]];
    const there = (side) => side.filter((place) => place >= 0);
    const rows = there(main.rows[y]), columns = there(main.columns[x]);
    if (consecutive(rows) && consecutive(columns)) return [];
    return rows.flatMap((row) => columns.map((column) => [row, column]));
  }

  box(y, x) {
    const { main } = this;
    const rows = main.rows[y].filter((place) => place >= 0);
    const columns = main.columns[x].filter((place) => place >= 0);
    if (!rows.length || !columns.length || !consecutive(rows) || !consecutive(columns)) return null;
    return [Math.min(...rows), Math.min(...columns), rows.length, columns.length];
  }

  // The same short texts come again and again.
  widthOf(context, text) {
    this.widths ??= new Map();
    if (!this.widths.has(text)) this.widths.set(text, context.measureText(text).width);
    return this.widths.get(text);
  }

  // Numbers with as many decimals as there is room for in a cell; nothing if there is none.
  texts(context, numbers) {
    const most = places(numbers);
    for (let digits = most; digits >= Math.max(0, most - 1); digits--) {
      const texts = numbers.map((value) => (value === null ? "" : fixed(value, digits)));
      const widest = Math.max(...texts.map((text) => this.widthOf(context, text)));
      if (this.cell >= 15 && widest <= this.cell - 3) return texts;
    }
    return null;
  }

  // What is read, times the kernel, is the products.
  drawCells(row, y, x) {
    const { main, cell, kernelHeight, kernelWidth, times } = this;
    const context = row.cells.getContext("2d");
    const [width, height] = row.cells.logical;
    const source = main.sources[row.source];
    const block = kernelWidth * cell, last = 2 * (block + SIGN);
    // The kernel and the signs stay while the unit moves.
    const drawn = `${row.source} ${this.ink.color}`;
    const stays = row.drawn === drawn;
    row.drawn = drawn;
    context.clearRect(0, 0, stays ? block : width, height);
    if (stays) context.clearRect(last, 0, width, height);
    const values = windowOf(main, source, y, x);
    const padded = (at) => main.rows[y][Math.floor(at / kernelWidth)] < 0 || main.columns[x][at % kernelWidth] < 0;
    const greatest = main.kind === "Pooled" && main.of === "max" ? Math.max(...values.filter((v) => v !== null)) : null;
    const matrix = (left, numbers, colours, isRead) => {
      context.font = this.ink.small;
      context.textAlign = "center";
      context.textBaseline = "middle";
      const texts = this.texts(context, numbers);
      numbers.forEach((value, at) => {
        const i = Math.floor(at / kernelWidth), j = at % kernelWidth;
        const [cx, cy] = [left + j * cell, i * cell];
        const empty = value === null;
        const colour = empty ? null : colours(value);
        context.fillStyle = empty ? "rgb(128 128 128 / 0.15)" : `rgb(${colour})`;
        context.fillRect(cx, cy, cell - 1, cell - 1);
        if (isRead && padded(at) && !empty) hatch(context, cx, cy, cell - 1);
        if (texts && !empty) {
          context.fillStyle = dark(colour) ? "#fff" : "#111";
          context.fillText(texts[at], cx + (cell - 1) / 2, cy + cell / 2);
        }
        if (greatest !== null && value === greatest) outline(context, cx, cy, cell - 1, cell - 1);
      });
    };
    matrix(0, values, this.paint, true);
    if (times === 1) return;
    const count = kernelHeight * kernelWidth;
    source.weights ??= Array.from(main.weights.subarray(row.source * count, (row.source + 1) * count));
    const { weights } = source;
    if (!stays) {
      matrix(block + SIGN, weights, this.paintWeight);
      context.fillStyle = this.ink.color;
      context.font = this.ink.large;
      context.fillText("×", block + SIGN / 2, height / 2);
      context.fillText("=", last - SIGN / 2, height / 2);
    }
    const products = values.map((value, at) => (value === null ? null : value * weights[at]));
    matrix(last, products, this.paintProduct);
  }
}

const SIGNED = [[0, "#f59322"], [0.5, "#e8eaeb"], [1, "#0877bd"]]; // explorer/charts/style.py

// --- drawing

// Draw a map with what is read of it: single places, or a rectangle of them.
function drawMap(canvas, { width, height }, places, box) {
  const context = canvas.getContext("2d");
  const [across, down] = canvas.logical;
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas.picture, 0, 0, across, down);
  const zoom = across / width;
  if (box) outline(context, box[1] * zoom, box[0] * zoom, box[3] * zoom, box[2] * zoom);
  for (const [row, column] of places) outline(context, column * zoom, row * zoom, zoom, zoom);
}

function outline(context, x, y, width, height) {
  const least = 4;
  const [w, h] = [Math.max(least, width), Math.max(least, height)];
  const [left, top] = [x + (width - w) / 2, y + (height - h) / 2];
  context.lineWidth = 3;
  context.strokeStyle = "rgb(0 0 0 / 0.75)";
  context.strokeRect(left, top, w, h);
  context.lineWidth = 1.5;
  context.strokeStyle = "#ffd23f";
  context.strokeRect(left, top, w, h);
}

function hatch(context, x, y, size) {
  context.save();
  context.beginPath();
  context.rect(x, y, size, size);
  context.clip();
  context.strokeStyle = "rgb(128 128 128 / 0.55)";
  context.lineWidth = 1;
  context.beginPath();
  for (let at = -size; at < size; at += 5) {
    context.moveTo(x + at, y + size);
    context.lineTo(x + at + size, y);
  }
  context.stroke();
  context.restore();
}

// A canvas of so many pixels of the page, sharp on every screen.
function sharp(width, height) {
  const canvas = element("canvas");
  const zoomed = globalThis.document?.documentElement.currentCSSZoom ?? 1;
  const ratio = (globalThis.devicePixelRatio || 1) * zoomed;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  canvas.logical = [width, height];
  canvas.getContext("2d").scale(ratio, ratio);
  return canvas;
}

function fit({ width, height }, room) {
  const zoom = room / Math.max(width, height);
  return [Math.max(4, Math.round(width * zoom)), Math.max(4, Math.round(height * zoom))];
}

function bitmap(values, width, height, scale) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const paint = painter(scale);
  const pixels = new Uint32Array(image.data.buffer);
  values.forEach((value, at) => {
    const [red, green, blue] = paint(value);
    pixels[at] = 0xff000000 | (blue << 16) | (green << 8) | red;
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

// A function from a value to its colour, one of 256 along a ramp of [place, "#rrggbb"] stops.
function painter({ ramp, end, signed }) {
  const stops = ramp.map(([at, hex]) => [at, [1, 3, 5].map((c) => parseInt(hex.slice(c, c + 2), 16))]);
  const colours = Array.from({ length: 256 }, (_, i) => {
    const next = Math.max(1, stops.findIndex(([at]) => at >= i / 255));
    const [[from, low], [to, high]] = [stops[next - 1], stops[next]];
    const way = (i / 255 - from) / (to - from);
    return low.map((part, c) => Math.round(part + way * (high[c] - part)));
  });
  return (value) => {
    const share = signed ? (value / end + 1) / 2 : value / end;
    return colours[Math.round(255 * Math.min(1, Math.max(0, share || 0)))];
  };
}

function dark([red, green, blue]) {
  return 0.299 * red + 0.587 * green + 0.114 * blue < 140;
}

function bar({ ramp, end, signed }, words = "") {
  const node = element("span", "scale");
  const strip = element("i");
  strip.style.background = `linear-gradient(90deg, ${ramp.map(([at, c]) => `${c} ${100 * at}%`)})`;
  if (words) node.append(element("span", "faint", words));
  node.append(element("span", "faint", signed ? `−${short(end)}` : "0"), strip, element("span", "faint", short(end)));
  return node;
}

// --- small things

function nearest(table, place) {
  let best = 0, least = Infinity;
  table.forEach((reads, unit) => {
    const there = reads.filter((read) => read >= 0);
    if (!there.length) return;
    const away = Math.abs(there.reduce((a, b) => a + b, 0) / there.length - place);
    if (away < least) [best, least] = [unit, away];
  });
  return best;
}

function consecutive(side) {
  return side.every((place, at) => !at || place === side[at - 1] + 1);
}

function places(numbers) {
  const largest = Math.max(...numbers.map((value) => Math.abs(value ?? 0)));
  if (largest >= 100) return 0;
  return largest >= 10 ? 1 : largest >= 0.1 ? 2 : 3;
}

function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e4 || size < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  return text.replaceAll("-", "−");
}

function singles(text) {
  return new Float32Array(bytes(text));
}

function doubles(text) {
  return new Float64Array(bytes(text));
}

function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
}

function clamp(place, size) {
  return Math.min(size - 1, Math.max(0, place));
}

function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

// Turn a sentence into nodes, of which those for what is in `<i>` are paler.
function shades(sentence) {
  const parts = sentence.split(/<\/?i>/);
  return parts.map((part, place) => element("span", place % 2 ? "faint" : "", part)).filter((node) => node.textContent);
}

function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function button(text, label, onClick) {
  const node = element("button", "plain", text);
  node.type = "button";
  if (label) node.setAttribute("aria-label", label), (node.title = label);
  node.addEventListener("click", onClick);
  return node;
}

function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}
