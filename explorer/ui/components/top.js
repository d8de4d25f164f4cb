// Scrolls the page up when it shows something else than before, as a browser does for a new page.

let shown;

export default function ({ data }) {
  if (shown !== undefined && shown !== data) {
    document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0);
  }
  shown = data;
}
