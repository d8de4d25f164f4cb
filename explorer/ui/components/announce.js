// Says what is news through the page's live region.

const said = new Map();

export default function ({ data: { what, text } }) {
  const own = liveRegion();
  const isNews = said.has(what) && said.get(what) !== text;
  said.set(what, text);
  if (isNews && text) own.textContent = text;
}
