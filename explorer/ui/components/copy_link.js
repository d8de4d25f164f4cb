// A button that copies a link. A browser that refuses, as without encryption or in a frame, gets the
// link in a field, selected.

const SECONDS = 3;

export default function ({ data, parentElement, setTriggerValue }) {
  const button = parentElement.querySelector(".copy");
  const byHand = parentElement.querySelector(".by-hand");
  const said = parentElement.querySelector(".said");
  const { words } = data;
  button.textContent = words.copy;
  byHand.querySelector("span").textContent = words.byHand;

  const show = (link) => {
    const field = byHand.querySelector("input");
    byHand.hidden = false;
    field.value = link;
    field.focus();
    field.select();
  };
  button.onclick = async () => {
    const link = new URL(data.link, location.href).href;
    setTriggerValue("copied", true);
    try {
      await navigator.clipboard.writeText(link);
      byHand.hidden = true;
      said.textContent = words.copied;
      setTimeout(() => (said.textContent = ""), 1000 * SECONDS);
    } catch {
      show(link);
    }
  };
}
