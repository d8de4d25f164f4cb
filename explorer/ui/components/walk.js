// Walks through the parts of a network. While it plays, the next part is asked for a moment after the
// last one is shown, so a slow page is waited for; in a hidden tab, or paused, nothing runs.

const MOMENT = 1200; // milliseconds

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".walk");
  const [back, play, on] = root.querySelectorAll("button");
  const { steps, at, line, words } = data;
  root.setAttribute("aria-label", words.walk);
  back.setAttribute("aria-label", words.back);
  on.setAttribute("aria-label", words.on);
  const last = steps.length - 1;
  root.step = (place, plays) => setTriggerValue("step", { name: steps[place], plays });
  // What was asked for and is not shown: the visitor, or the page, wanted something else.
  if (root.asked !== undefined && root.asked !== at) root.playing = false;
  if (at === last) root.playing = false;
  root.asked = undefined;

  const wait = () => {
    clearTimeout(root.timer);
    if (!root.playing || document.hidden) return;
    root.timer = setTimeout(() => {
      root.asked = at + 1;
      root.step(root.asked, true);
    }, MOMENT);
  };
  const show = () => {
    back.disabled = at === 0;
    on.disabled = at === last;
    play.textContent = root.playing ? `❚❚ ${words.pause}` : `▶ ${words.walk}`;
    root.querySelector(".place").textContent = fill(words.place, { at: at + 1, count: steps.length });
    const said = root.querySelector(".line");
    if (said.textContent !== line) said.textContent = line;
  };
  const go = (place) => {
    root.playing = false;
    show();
    wait();
    root.step(place, false);
  };
  back.onclick = () => go(at - 1);
  on.onclick = () => go(at + 1);
  play.onclick = () => {
    root.playing = !root.playing;
    if (root.playing && at === last) {
      root.asked = 0;
      root.step(0, true);
    }
    show();
    if (root.asked === undefined) wait();
    else clearTimeout(root.timer);
  };
  show();
  wait();
  document.addEventListener("visibilitychange", wait);
  return () => {
    clearTimeout(root.timer);
    document.removeEventListener("visibilitychange", wait);
  };
}
