// What is drawn, as a table in a dialog, which is also a CSV file. Python puts this before the script of
// each component that draws.

const openTable = (() => {
  const MOST_ROWS = 500; // in the table; the file has all

  const isEmpty = (value) => value === "" || value === null || value === undefined || Number.isNaN(value);

  function written(value) {
    if (typeof value !== "number" || isEmpty(value)) return isEmpty(value) ? "" : String(value);
    const text = Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(6)));
    return text.replace("-", "−");
  }

  // Where a spreadsheet would take the text of a cell for a formula, a quote is before it.
  function cell(value) {
    const text = isEmpty(value) ? "" : String(value);
    const safe = /^(?:[=@\t\r]|[+-](?![\d.]))/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  const csv = (lines) => lines.map((line) => line.map(cell).join(",")).join("\r\n");

  function element(tag, properties = {}, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  // Opens a table in `root`: what it `says`, its `columns`, and its `rows`, of texts and numbers.
  return function (root, { says, columns, rows }, words) {
    // A column in which nothing is says nothing.
    const used = columns.map((_, column) => rows.some((row) => !isEmpty(row[column])));
    const kept = (line) => line.filter((_, column) => used[column]);
    const [titles, lines] = [kept(columns), rows.map(kept)];
    const file = new Blob(["\ufeff", csv([titles, ...lines])], { type: "text/csv" });
    const dialog = element("dialog", { className: "table-dialog", ariaLabel: words.data });
    const close = element("button", { type: "button", textContent: words.close, onclick: () => dialog.close() });
    const save = element("a", { href: URL.createObjectURL(file), download: "data.csv", textContent: words.csv });
    const head = titles.map((title) => element("th", { scope: "col", textContent: title }));
    const body = lines.slice(0, MOST_ROWS).map((line) => {
      const cells = line.map((value) => element("td", { textContent: written(value) }));
      return element("tr", {}, ...cells);
    });
    const table = element("table", {},
      element("caption", { textContent: says }),
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...body));
    dialog.append(
      element("div", { className: "table-bar" }, save, close),
      element("div", { className: "table-rows", tabIndex: 0, role: "region", ariaLabel: words.data }, table),
    );
    const more = lines.length - MOST_ROWS;
    if (more > 0) dialog.append(element("p", { textContent: words.more.replace("{count}", more.toLocaleString("en")) }));
    dialog.onclose = () => {
      URL.revokeObjectURL(save.href);
      dialog.remove();
    };
    root.append(dialog);
    dialog.showModal();
    dialog.style.setProperty("--zoom", dialog.currentCSSZoom ?? 1);
  };
})();
