"""Measure the pages in a real browser: `python benchmarks/page.py [--json]`; needs Chromium.

From starting the server to the first text on the screen; from opening a page of a warm server to
its first text and to its curves; from a click on *Train* to the first point of its curve; from a
changed widget to the end of the script's run; from a click on a block to its maps. An app of one
line and one widget, the least that Streamlit can show, does the same in turn. And how many frames a
second the arithmetic of a unit has while the pointer moves over its map.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from common import Row, machine, parser, show
from playwright.sync_api import Browser, Locator, Page, ViewportSize, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from serving import CHROMIUM, FLAGS, serving

from explorer.runs.recorded import open_examples
from explorer.settings import read_settings

ROUNDS = 7
STARTS = 3
LEAST = """
import streamlit as st

seed = st.number_input("Seed", 0, 1000)
st.markdown(f"Nothing but {seed}")
"""

# Notes when the server last sent something.
LISTEN = """
const Plain = WebSocket;
window.WebSocket = class extends Plain {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", () => { window.heard = performance.now(); });
  }
};
"""

# Presses the Seed's plus and waits until the server has sent everything that follows from that.
RERUN = """() => new Promise(done => {
  const box = [...document.querySelectorAll("[data-testid=stNumberInput]")]
    .find(box => box.textContent.includes("Seed"));
  const began = performance.now();
  const look = () => {
    if (heard > began && performance.now() - heard > 200) done(heard - began);
    else requestAnimationFrame(look);
  };
  box.querySelector("[data-testid=stNumberInputStepUp]").click();
  look();
})"""

# Clicks on Train and waits until the new run has a point, beside the recorded examples only.
FIRST_POINT = """() => new Promise(done => {
  const button = [...document.querySelectorAll("button")]
    .find(button => /Train$/.test(button.textContent.trim()));
  const began = performance.now();
  const look = () => {
    const chart = document.querySelector(".js-plotly-plot");
    const traces = chart?.data ?? [];
    const points = traces.find(trace => trace.name === "plain, training")?.x.length;
    if (traces.every(trace => /^(plain|recorded)/.test(trace.name)) && points &&
        chart.querySelector(".scatterlayer .trace path"))
      done(performance.now() - began);
    else requestAnimationFrame(look);
  };
  button.click();
  look();
})"""

# Clicks on a block of the drawing and waits until its maps are drawn; both are in shadow trees.
OPEN = """name => new Promise(done => {
  const find = (selector, root = document) => root.querySelector(selector) ??
    [...root.querySelectorAll("*")].map(element => element.shadowRoot)
      .filter(Boolean).map(own => find(selector, own)).find(Boolean);
  const began = performance.now();
  const look = () => {
    if (find(`canvas[aria-label^="${name}."]`)) done(performance.now() - began);
    else requestAnimationFrame(look);
  };
  find(`[data-name="${name}"]`).dispatchEvent(new MouseEvent("click", { bubbles: true }));
  look();
})"""

# Moves the pointer over the large map of the panel at each frame, and counts frames a second.
FRAMES = """() => new Promise(done => {
  const find = (selector, root = document) => root.querySelector(selector) ??
    [...root.querySelectorAll("*")].map(element => element.shadowRoot)
      .filter(Boolean).map(own => find(selector, own)).find(Boolean);
  const { panel } = find(".unit");
  const map = find(".unit canvas.large");
  const draw = panel.draw, spent = [];
  panel.draw = () => {
    const began = performance.now();
    draw.call(panel);
    spent.push(performance.now() - began);
  };
  const box = map.getBoundingClientRect();
  const began = performance.now();
  let frames = 0;
  const move = () => {
    const [x, y] = [0.5 + 0.45 * Math.cos(frames / 9), 0.5 + 0.45 * Math.sin(frames / 7)];
    const [clientX, clientY] = [box.left + x * box.width, box.top + y * box.height];
    map.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, pointerType: "mouse" }));
    frames += 1;
    const seconds = (performance.now() - began) / 1000;
    if (seconds > 3) {
      panel.draw = draw;
      done([frames / seconds, spent.sort((a, b) => a - b)[spent.length >> 1]]);
    } else requestAnimationFrame(move);
  };
  requestAnimationFrame(move);
})"""
PANELS = {
    "25 products, of 1 map": ("plain", "conv1:2"),
    "288 products, of 32 maps": ("residual", "block2.conv1:3"),
    "2200 products, of 88 maps": ("inception", "conv2:3"),
}


def main() -> None:
    """Print the tables."""
    as_json = parser(__doc__).parse_args().json
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        least = Path(folder, "least.py")
        least.write_text(LEAST)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        starts = [_start(Path(folder, str(n)), least, browser) for n in range(STARTS)]
        with _app(Path(folder, "warm")) as ours, _app(Path(folder, "least"), least) as theirs:
            warm = list(_warm(ours, theirs, browser))
            frames = list(_frames(ours, browser))
        browser.close()
    show(
        {
            **machine(),
            "Starting the server, seconds to the first text": [_middle(starts)],
            "A warm server, milliseconds": warm,
            "The arithmetic of a unit, frames a second": frames,
        },
        as_json,
    )


@contextmanager
def _app(folder: Path, script: Path | None = None) -> Iterator[str]:
    folder.mkdir()
    cache = read_settings().cache
    with serving(folder / "runs.sqlite", cache, script=script) as (address, _):
        yield address


def _start(folder: Path, least: Path, browser: Browser) -> Row:
    folder.mkdir()

    def seconds(name: str, script: Path | None, text: str) -> float:
        began = perf_counter()
        with _app(folder / name, script) as address:
            page = browser.new_page()
            page.goto(address)
            page.get_by_text(text).first.wait_for()
            taken = perf_counter() - began
            page.close()
        return taken

    ours = seconds("ours", None, "Why do these networks work?")
    theirs = seconds("theirs", least, "Nothing but 0")
    return {"explorer": ours, "least": theirs, "ratio": ours / theirs}


def _middle(rows: list[Row]) -> Row:
    return {key: median(row[key] for row in rows) for key in rows[0]}


def _warm(ours: str, theirs: str, browser: Browser) -> Iterator[Row]:
    size = ViewportSize(width=1400, height=1000)
    why, train, inside, least = (browser.new_page(viewport=size) for _ in range(4))
    for page in (why, train, inside, least):
        page.set_default_timeout(120_000)
        page.add_init_script(LISTEN)

    def open_least() -> float:
        return _open(least, theirs, least.get_by_text("Nothing but 0"))

    def rerun_least() -> float:
        return _ask(least, RERUN)

    def first_point(seed: int) -> float:
        train.goto(f"{ours}/train?architecture=plain&fast.train_size=3000&fast.seed={seed}")
        train.get_by_text("plain — ").wait_for()
        train.locator(".js-plotly-plot").first.wait_for()
        taken = _ask(train, FIRST_POINT)
        train.get_by_role("button", name="Stop").wait_for(state="detached")
        return taken

    first = why.locator(".js-plotly-plot .main-svg").first
    yield _row("open Why?, to its first figure", lambda _: _open(why, ours, first), open_least)
    text = train.get_by_text("Train a network")
    curves = train.locator(".js-plotly-plot .scatterlayer .trace").last
    yield _row(
        "open Train, to its first text", lambda _: _open(train, f"{ours}/train", text), open_least
    )
    yield _row(
        "open Train, to its curves", lambda _: _open(train, f"{ours}/train", curves), open_least
    )
    train.get_by_role("button", name="Train", exact=True).wait_for()
    yield _row("change a widget of Train", lambda _: _ask(train, RERUN), rerun_least)
    yield _row("click Train, to its first point", first_point, rerun_least)
    runs = {run.spec.architecture: run.id for run in open_examples().runs()}
    inside.goto(f"{ours}/inside?net={runs['inception']}&part=incep1")
    inside.locator(".lanes canvas").nth(2).wait_for()
    yield _row(
        "click a block of Inception, to its maps",
        lambda number: _ask(inside, OPEN, ("incep2", "incep1")[number % 2]),
        rerun_least,
    )


def _frames(ours: str, browser: Browser) -> Iterator[Row]:
    page = browser.new_page(viewport=ViewportSize(width=1400, height=1000))
    page.set_default_timeout(120_000)
    runs = {run.spec.architecture: run.id for run in open_examples().runs()}
    for what, (net, channel) in PANELS.items():
        page.goto(f"{ours}/inside?net={runs[net]}&map={channel}")
        page.locator(".unit canvas.large").wait_for()
        page.wait_for_timeout(1500)
        frames, work = zip(*(page.evaluate(FRAMES) for _ in range(3)), strict=True)
        yield {"what": what, "frames a second": median(frames), "milliseconds each": median(work)}
    page.close()


def _open(page: Page, address: str, sign: Locator) -> float:
    began = perf_counter()
    page.goto(address)
    sign.wait_for()
    return 1000 * (perf_counter() - began)


def _ask(page: Page, script: str, *given: str) -> float:
    page.wait_for_timeout(1500)  # until nothing is under way
    return float(page.evaluate(script, *given))


def _row(what: str, ours: Callable[[int], float], theirs: Callable[[], float]) -> Row:
    """Measure both in turn; return the medians, without the first round, which warms up."""
    pairs = [(ours(number), theirs()) for number in range(ROUNDS + 1)][1:]
    one, other = zip(*pairs, strict=True)
    return {
        "what": what,
        "explorer": median(one),
        "slowest": max(one),
        "least": median(other),
        "ratio": median(a / b for a, b in pairs),
    }


if __name__ == "__main__":
    main()
