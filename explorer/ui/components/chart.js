// A Plotly chart that is updated in place. st.plotly_chart makes a new one for each new figure, which
// flickers and loses the reader's zoom.
//
// Arrow keys go from point to point and from line to line, and what a point says is read aloud. A
// button opens what is drawn as a table, which is also a CSV file.

let library;

function load() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("plotly/plotly.min.js", document.baseURI);
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("Plotly's library could not be loaded."));
    document.head.append(script);
  });
  return library;
}

// Plotly does not know where the pointer is in a page that is zoomed (`?big=1`). So a chart is not, and
// its type and its lines are as much larger instead.
const GROWS = { size: /font$|^marker$/, width: /^(line|marker|error_[xy])$/ };
const PIXELS = ["height", "l", "r", "t", "b", "pad", "standoff", "ticklabelstandoff", "ax", "ay", "xshift", "yshift",
  "thickness", "itemwidth", "indentation"];

function enlarged(value, by, name = "") {
  if (Array.isArray(value)) return value.map((each) => enlarged(each, by, name));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => {
    const isSize = GROWS[key]?.test(name) || PIXELS.includes(key);
    if (isSize && typeof each === "number") return [key, each * by];
    if (isSize && Array.isArray(each)) return [key, each.map((one) => one * by)];
    return [key, enlarged(each, by, key)];
  }));
}

const ARRAYS = { f8: Float64Array, f4: Float32Array, i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array,
  i4: Int32Array, u4: Uint32Array };

// Numbers are a list, or the bytes of an array with its shape.
function list(values) {
  if (!values?.bdata) return Array.isArray(values) ? values : [];
  const bytes = Uint8Array.from(atob(values.bdata), (each) => each.charCodeAt(0));
  const sides = String(values.shape ?? "").split(",").map(Number).slice(1);
  return sides.filter(Boolean).reduceRight((flat, side) =>
    Array.from({ length: flat.length / side }, (_, at) => flat.slice(at * side, (at + 1) * side)),
  [...new ARRAYS[values.dtype](bytes.buffer)]);
}

function bare(text) {
  const box = document.createElement("template");
  box.innerHTML = String(text ?? "").replaceAll("<br>", " ");
  return box.content.textContent;
}

const axisOf = (layout, trace, way) => layout[`${way}axis${(trace[`${way}axis`] ?? way).slice(1)}`];

// A drawing hides what a trace is for where it is no data: bands, marks and connecting lines.
const isData = (trace) => trace.hoverinfo !== "skip" && trace.visible !== false;
const isNothing = (value) => value === null || value === undefined || value === "" || Number.isNaN(value);
const isGrid = (data) => data.some((trace) => isData(trace) && trace.z);

// What is in a cell of the table: no tags, and numbers as numbers.
const plain = (value) => (typeof value === "number" ? value : bare(value));

// What is written beside the axis, where that is the name of a place.
function named(axis, place) {
  const at = list(axis?.tickvals).indexOf(place);
  return plain(at >= 0 && axis.ticktext ? axis.ticktext[at] : place);
}

// A row for each point: the name of its line, where it is, and its values, as `told` in style.py says.
function rowsOf({ data, layout }) {
  const grid = isGrid(data);
  const count = Math.max(1, list(layout.meta?.columns).length - (grid ? 3 : 2)); // of values
  return data.filter(isData).flatMap((trace) => {
    if (trace.z) return cellsOf(trace, layout);
    return grid ? placesOf(trace) : pointsOf(trace, layout, count);
  });
}

function pointsOf(trace, layout, count) {
  const [x, y, said] = [trace.x, trace.y, trace.customdata].map(list);
  const [keys, values, way] = trace.orientation === "h" ? [y, x, "y"] : [x, y, "x"];
  return keys.flatMap((key, at) => {
    const own = isNothing(said[at]) ? [values[at]] : [said[at]].flat();
    const name = own.length > count ? plain(own[0]) : named(axisOf(layout, trace, way), key);
    const shown = own.slice(-count).map(plain);
    return shown.every(isNothing) ? [] : [[bare(trace.name), name, ...shown]];
  });
}

// A path over a grid has places, and no values.
function placesOf(trace) {
  const [x, y, text] = [trace.x, trace.y, trace.text].map(list);
  return x.map((across, at) => [bare(text[at] ?? trace.name), y[at], across, ""]);
}

function cellsOf(trace, layout) {
  const [said, text, z] = [trace.customdata, trace.text, trace.z].map(list);
  const cells = z.flatMap((line, row) => line.map((value, column) => {
    const own = isNothing(said[row]?.[column]) ? value : said[row][column];
    return { row, column, group: text[row]?.[column], value: Array.isArray(own) ? own.join(" ") : own };
  })).filter(({ value }) => !isNothing(value));
  if (cells.some(({ group }) => group)) return kernelsOf(cells);
  const [down, across] = ["y", "x"].map((way) => {
    const [names, places] = [list(trace.meta?.[way]), list(trace[way])];
    const axis = axisOf(layout, trace, way);
    return (at) => (names[at] ? plain(names[at]) : named(axis, places[at] ?? placed(trace, way, at)));
  });
  return cells.map(({ row, column, value }) => [bare(trace.name), down(row), across(column), plain(value)]);
}

// Cells that share a text are a grid of their own, such as a kernel, one after the other.
function kernelsOf(cells) {
  const groups = new Map();
  for (const cell of cells) groups.set(cell.group, [...(groups.get(cell.group) ?? []), cell]);
  return [...groups].flatMap(([group, own]) => own.map(({ row, column, value }) => {
    const place = own.length > 1 ? [row - own[0].row, column - own[0].column] : ["", ""];
    return [bare(group), ...place, plain(value)];
  }));
}

function columnsOf({ data, layout }, words) {
  const trace = data.find(isData) ?? {};
  const title = (way) => bare(axisOf(layout, trace, way)?.title?.text);
  const [at, value] = trace.orientation === "h" ? ["y", "x"] : ["x", "y"];
  const usual = isGrid(data)
    ? [words.series, title("y") || words.row, title("x") || words.column, words.value]
    : [words.series, title(at) || words.at, title(value) || words.value];
  const own = list(layout.meta?.columns);
  return Array.from({ length: Math.max(own.length, usual.length) }, (_, place) => own[place] || usual[place]);
}

// The points that arrow keys visit, by trace: what is drawn, without what is no data.
function visits({ data }) {
  const found = [];
  data.forEach((trace, curveNumber) => {
    if (!isData(trace)) return;
    const [x, y, z] = [trace.x, trace.y, trace.z].map(list);
    const points = trace.z
      ? z.flatMap((row, up) => row.map((value, across) => (isNothing(value) ? null : [up, across])))
      : x.map((value, at) => (isNothing(value) || isNothing(y[at]) ? null : at));
    const drawn = points.filter((point) => point !== null);
    // Cells that are not drawn stay, since arrow keys go down by a row of cells.
    if (drawn.length) found.push({ curveNumber, points: trace.z ? points : drawn, width: trace.z ? z[0].length : 0 });
  });
  return found;
}

// Where a cell is on its axis; one with a name is where its number says.
function placed(trace, way, at) {
  const place = list(trace[way])[at] ?? (trace[`${way}0`] ?? 0) + (trace[`d${way}`] ?? 1) * at;
  return typeof place === "number" ? place : at;
}

// The next point in steps of so many that is drawn; undefined if there is none.
function along(points, from, by) {
  for (let next = from + by; by && next >= 0 && next < points.length; next += by) {
    if (points[next] !== null) return next;
  }
}

function linesOf(text) {
  const lines = [...text.querySelectorAll(".line")];
  return (lines.length ? lines : [text]).map((line) => line.textContent);
}

function walkByKeys(chart, figure) {
  let at = null;
  chart.onkeydown = (event) => {
    const all = visits(figure);
    if (event.key === "Escape" && at) {
      at = null;
      window.Plotly.Fx.unhover(chart);
      return;
    }
    const [across, up] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key] ?? [];
    if (across === undefined || !all.length || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const clip = (value, most) => Math.min(Math.max(value, 0), most);
    if (!at) at = { trace: 0, point: along(all[0].points, -1, 1) };
    else {
      const { width, points } = all[at.trace];
      const next = along(points, at.point, across + up * width);
      if (next !== undefined) at.point = next;
      else if (up) {
        at.trace = clip(at.trace + up, all.length - 1);
        const other = all[at.trace].points;
        const near = clip(at.point, other.length - 1);
        at.point = along(other, near - 1, 1) ?? along(other, near, -1);
      }
    }
    const { curveNumber, points } = all[at.trace];
    const trace = figure.data[curveNumber];
    const subplot = `${trace.xaxis ?? "x"}${trace.yaxis ?? "y"}`;
    if (trace.scene) { // Plotly points at nothing in a solid
      const short = (value) => (typeof value === "number" ? Number(value.toPrecision(4)) : value);
      liveRegion().textContent = cellsOf(trace, figure.layout)[at.point].map(short).join(", ");
      return;
    }
    const [row, column] = [points[at.point]].flat();
    const where = trace.z // by the number of a cell, Plotly does not find it
      ? { xval: placed(trace, "x", column), yval: placed(trace, "y", row) }
      : { pointNumber: row };
    window.Plotly.Fx.hover(chart, [{ curveNumber, ...where }], subplot);
    requestAnimationFrame(() => {
      const texts = [...chart.querySelectorAll(".hoverlayer .hovertext")].map((each) =>
        [...each.querySelectorAll("text")].flatMap(linesOf).join(" "));
      liveRegion().textContent = texts.join(". ");
    });
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".explorer-chart");
  const chart = root.querySelector(".chart-drawn");
  liveRegion();
  root.wanted = data.figure;
  const [table, picture] = root.querySelectorAll(".chart-tools button");
  table.textContent = data.words.data;
  table.title = data.words.table;
  picture.textContent = data.words.picture;
  if (!root.look) chart.setAttribute("aria-label", data.words.chart);
  load().then((Plotly) => {
    if (root.wanted !== data.figure) return; // a newer figure came while the library was loading
    const { fontFamily: family, color } = getComputedStyle(root);
    const page = document.documentElement;
    const zoom = root.currentCSSZoom ?? 1;
    const look = `${color} ${family} ${zoom} ${page.lang} ${data.figure}`;
    if (root.look === look) return; // the page ran again, and nothing of this changed
    root.look = look;
    const { words } = data;
    const figure = JSON.parse(data.figure);
    const says = figure.layout.meta?.says ?? words.chart;
    figure.layout.font = { family, color, size: 12 };
    figure.layout.hoverlabel = { font: { family, size: 12 }, namelength: -1, ...figure.layout.hoverlabel };
    figure.layout.autosize = true;
    const { data: traces, layout } = zoom === 1 ? figure : enlarged(figure, zoom);
    chart.style.zoom = 1 / zoom;
    chart.style.height = `${layout.height}px`;
    chart.setAttribute("aria-label", `${says} ${words.keys}`);
    walkByKeys(chart, { data: traces, layout });
    table.onclick = () =>
      openTable(root, { says, columns: columnsOf(figure, words), rows: rowsOf(figure) }, words);
    picture.onclick = () => Plotly.downloadImage(chart, { format: "png", scale: 2, filename: "chart" });
    Plotly.react(chart, traces, layout, { displaylogo: false, displayModeBar: false }).then(() => {
      // Its label and its points are read, and not the marks of its axes.
      chart.querySelector(".plot-container")?.setAttribute("aria-hidden", "true");
      if (root.fits) return;
      // Its place may get another width without the window's, as while a page is made.
      root.fits = new ResizeObserver(() => {
        const { clientWidth, _fullLayout } = chart;
        if (clientWidth && Math.abs(clientWidth - _fullLayout.width) > 2) Plotly.Plots.resize(chart);
      });
      root.fits.observe(chart);
    });
  });
}
