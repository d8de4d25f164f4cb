// Marks the first use of each word of the glossary on the page, and explains it when it is clicked. The
// page belongs to React, so its elements stay as they are: words are marked by the browser's highlights.
// For the keyboard, and where there are no highlights, buttons below the page explain the same words.

const MARK = "explorer-term";
const NO_PROSE = "code, pre, a, button, label, input, textarea, svg, dialog, h1, h2, h3, [role=radio], [role=option], " +
  "[data-testid=stIconMaterial], [data-testid=stExpander] summary, .terms, .term-card, .explorer-chart";
const MANY_LETTERS = /[\u0000-\u024f]/; // a word of these has a boundary; one of Chinese has none

const page = { terms: [], found: new Map(), root: null, observer: null, waiting: 0 };

function pattern({ term, also }) {
  const words = [term, ...also].sort((a, b) => b.length - a.length).map((word) => {
    const exact = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return MANY_LETTERS.test(word[0]) ? `(?<![\\w-])${exact}(?:s|es)?(?![\\w-])` : exact;
  });
  return new RegExp(words.join("|"), "i");
}

function look() {
  page.waiting = 0;
  const main = document.querySelector('[data-testid="stMain"]');
  if (!main || !page.root?.isConnected) return;
  const left = new Map(page.terms.map((term) => [term, pattern(term)]));
  const found = new Map();
  const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  for (let node; left.size && (node = walker.nextNode()); ) {
    const { parentElement: parent } = node;
    if (node.length < 2 || !parent || parent.closest(NO_PROSE) || !parent.checkVisibility()) continue;
    let taken = [];
    for (const [term, words] of left) {
      const at = words.exec(node.data);
      if (!at || taken.some(([from, to]) => at.index < to && at.index + at[0].length > from)) continue;
      taken.push([at.index, at.index + at[0].length]);
      const range = new Range();
      range.setStart(node, at.index);
      range.setEnd(node, at.index + at[0].length);
      found.set(term, range);
      left.delete(term);
    }
  }
  page.found = found;
  if (window.CSS?.highlights) CSS.highlights.set(MARK, new Highlight(...found.values()));
  list();
}

function soon() {
  page.waiting ||= setTimeout(() => requestIdleCallback?.(look) ?? look(), 400);
}

function list() {
  const names = [...page.found.keys()].sort((a, b) => a.term.localeCompare(b.term, document.documentElement.lang));
  const key = names.map(({ term }) => term).join();
  if (page.root.dataset.shown === key) return;
  page.root.dataset.shown = key;
  page.root.hidden = !names.length;
  page.root.setAttribute("aria-label", page.words.here);
  const title = Object.assign(document.createElement("span"), { textContent: page.words.here });
  const buttons = names.map((term) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: term.term });
    button.onclick = () => explain(term, button.getBoundingClientRect(), button);
    return button;
  });
  page.root.replaceChildren(title, ...buttons);
}

async function figure(name) {
  const answer = await fetch(new URL(page.figures.replace("{name}", name), document.baseURI));
  return answer.ok ? new DOMParser().parseFromString(await answer.text(), "image/svg+xml").documentElement : null;
}

function explain(term, box, opener) {
  document.querySelector(".term-card")?.remove();
  const card = Object.assign(document.createElement("div"), { className: "term-card", popover: "auto", tabIndex: -1 });
  card.setAttribute("role", "dialog");
  card.setAttribute("aria-label", term.term);
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const drawing = make("div", { className: "term-figure" });
  const bar = make("div", { className: "term-bar" });
  bar.append(
    make("a", { href: `${page.address}&term=${term.name}`, textContent: page.words.all }),
    make("button", { type: "button", textContent: page.words.close, onclick: () => card.hidePopover() }),
  );
  card.append(make("strong", { textContent: term.term }), drawing, make("p", { textContent: term.text }), bar);
  document.body.append(card);
  card.ontoggle = ({ newState }) => {
    if (newState !== "closed") return;
    card.remove();
    opener?.focus();
  };
  card.showPopover();
  // Pixels of a page that is zoomed are larger than those of its boxes.
  const zoom = card.currentCSSZoom ?? 1;
  const place = () => {
    const { offsetWidth: width, offsetHeight: height } = card;
    const [wide, tall] = [innerWidth / zoom, innerHeight / zoom];
    const below = box.bottom / zoom + 6;
    card.style.left = `${Math.max(8, Math.min(box.left / zoom, wide - width - 8))}px`;
    card.style.top = `${Math.max(8, below + height > tall ? box.top / zoom - height - 6 : below)}px`;
  };
  place();
  card.focus();
  figure(term.name).then((drawn) => {
    if (drawn) drawing.append(drawn);
    place();
  }, () => {});
}

function under(x, y) {
  const caret = document.caretPositionFromPoint?.(x, y);
  const [node, offset] = caret ? [caret.offsetNode, caret.offset] : [];
  for (const [term, range] of page.found) {
    if (node !== range.startContainer || offset < range.startOffset || offset > range.endOffset) continue;
    // The nearest letter may be far from the pointer.
    const box = [...range.getClientRects()].find((each) =>
      x >= each.left - 2 && x <= each.right + 2 && y >= each.top && y <= each.bottom);
    if (box) return { term, box };
  }
  return null;
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.(NO_PROSE) || !getSelection().isCollapsed) return;
  const met = under(event.clientX, event.clientY);
  if (met) explain(met.term, met.box);
});
document.addEventListener("pointermove", (event) => {
  const over = event.pointerType === "mouse" && event.target.closest?.("p, li, td, th, span, strong, em") &&
    under(event.clientX, event.clientY);
  document.documentElement.classList.toggle("over-term", Boolean(over));
}, { passive: true });

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".terms");
  Object.assign(page, { root, terms: data.terms, words: data.words, figures: data.figures, address: data.page });
  delete root.dataset.shown;
  page.observer?.disconnect();
  page.observer = new MutationObserver((changes) => {
    if (changes.some(({ target }) => !root.contains(target))) soon();
  });
  page.observer.observe(document.querySelector('[data-testid="stMain"]') ?? document.body, {
    childList: true, subtree: true, characterData: true,
  });
  soon();
}
