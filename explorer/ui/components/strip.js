// Small images beside one another, which are one below the other in a single picture.

export default function ({ data, parentElement }) {
  const strip = parentElement.querySelector(".strip");
  const shown = JSON.stringify(data);
  if (strip.shown === shown) return;
  strip.shown = shown;
  const { words } = data;
  const taken = data.predicted;
  const count = data.classes.length;
  const longest = Math.max(...[...data.classes, ...taken].map(widthOf));
  strip.style.setProperty("--least", longest > 3 ? "3.6rem" : taken.length ? "2.2rem" : "1.2rem");
  strip.replaceChildren(
    ...data.classes.map((name, place) => {
      const item = document.createElement("div");
      item.setAttribute("role", "listitem");
      const image = document.createElement("span");
      image.className = "image";
      image.setAttribute("role", "img");
      const wrong = taken.length && taken[place] !== name;
      const both = { name, predicted: taken[place] };
      image.setAttribute("aria-label", fill(wrong ? words.wrongImage : words.image, both));
      item.classList.toggle("wrong", Boolean(wrong));
      image.style.backgroundImage = `url(${data.png})`;
      image.style.backgroundSize = `100% ${100 * count}%`;
      image.style.backgroundPosition = `0 ${count > 1 ? (100 * place) / (count - 1) : 0}%`;
      const label = document.createElement("span");
      label.className = "name";
      label.dir = "auto";
      label.title = wrong ? fill(words.wrong, both) : name;
      label.textContent = wrong ? `${name} → ${taken[place]}` : name;
      item.append(image, label);
      return item;
    }),
  );
  if (data.more) {
    const more = document.createElement("div");
    more.className = "more";
    more.textContent = data.more;
    strip.append(more);
  }
}

// How wide a text is, in Latin characters; Chinese ones are twice as wide.
function widthOf(text) {
  return [...text].reduce((width, character) => width + (character > "\u2e7f" ? 2 : 1), 0);
}
