// Small images beside one another, which are one below the other in a single picture.

export default function ({ data, parentElement }) {
  const strip = parentElement.querySelector(".strip");
  if (strip.shown === data.png) return;
  strip.shown = data.png;
  const taken = data.predicted;
  const count = data.classes.length;
  const longest = Math.max(...[...data.classes, ...taken].map((name) => name.length));
  strip.style.setProperty("--least", longest > 3 ? "3.6rem" : taken.length ? "2.2rem" : "1.2rem");
  strip.replaceChildren(
    ...data.classes.map((name, place) => {
      const item = document.createElement("div");
      item.setAttribute("role", "listitem");
      const image = document.createElement("span");
      image.className = "image";
      image.setAttribute("role", "img");
      const wrong = taken.length && taken[place] !== name;
      const text = wrong ? `${name}, taken for ${taken[place]}` : name;
      image.setAttribute("aria-label", `an image of the class ${text}`);
      item.classList.toggle("wrong", Boolean(wrong));
      image.style.backgroundImage = `url(${data.png})`;
      image.style.backgroundSize = `100% ${100 * count}%`;
      image.style.backgroundPosition = `0 ${count > 1 ? (100 * place) / (count - 1) : 0}%`;
      const label = document.createElement("span");
      label.className = "name";
      label.dir = "auto";
      label.title = text;
      label.textContent = wrong ? `${name} → ${taken[place]}` : name;
      item.append(image, label);
      return item;
    }),
  );
  if (data.more) {
    const more = document.createElement("div");
    more.className = "more";
    more.textContent = `and ${data.more.toLocaleString("en")} more`;
    strip.append(more);
  }
}
