"""The page of `explorer export --html` in a real browser: from a file, and from a plain host."""

import os
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import expect
from serving import ROOT

from explorer.charts.style import ROLES
from explorer.runs.recorded import open_examples

pytestmark = pytest.mark.browser

IMAGES = (6093, 0, 3520)  # one that a switch flips, one that is right, a mistake
WIDTHS = (360, 768, 1280, 1920)
URL = "https://explorer.example.org/app"


def recorded(name):
    return next(run.id for run in open_examples().runs() if run.spec.architecture == name)


def export(folder, cache, run, *arguments):
    """Write the page of a run as a reader would; return its file."""
    file = folder / f"{run}.html"
    command = [sys.executable, "-m", "explorer", "export", run, "--html", str(file), *arguments]
    environment = {
        "EXPLORER_CACHE": str(cache),
        "EXPLORER_DATABASE_URL": f"sqlite:///{folder / 'runs.sqlite'}",
    }
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture(scope="module")
def file(tmp_path_factory, cache):
    """The page of the recorded residual net."""
    images = ",".join(map(str, IMAGES))
    arguments = ["--images", images, "--test-images", "500", "--url", URL]
    return export(tmp_path_factory.mktemp("page"), cache, recorded("residual"), *arguments)


@pytest.fixture
def quiet(browser):
    """A page whose requests are kept, and all of whose errors fail the test."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(30_000)
    page.asked, said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.route(re.compile("^(?!file:|http://127[.]0[.]0[.]1)"), lambda route: route.abort())
    yield page
    page.close()
    assert said == []


def look(page, address, state=""):
    page.goto("about:blank")
    page.goto(f"{address}#{state}")
    expect(page.locator("#answer b")).not_to_be_empty()


def state(page):
    return parse_qs(urlparse(page.url).fragment, keep_blank_values=True)


def maps(page):
    return page.locator("#lanes .flow canvas").evaluate_all("all => all.map(c => c.toDataURL())")


def test_a_page_from_a_file_asks_for_nothing_and_shows_everything(quiet, file):
    look(quiet, file.as_uri())
    expect(quiet.get_by_role("heading", level=1)).to_have_text("residual on MNIST")
    expect(quiet.get_by_text("99.08 %").first).to_be_visible()
    expect(quiet.get_by_text("LeCun, Cortes & Burges")).to_be_visible()
    expect(quiet.locator("#charts svg[role=application]")).to_have_count(2)
    expect(quiet.locator("#drawing svg [data-name=block2]")).to_be_visible()
    expect(quiet.locator("#images input")).to_have_count(3)
    expect(quiet.locator("#lanes .flow canvas")).to_have_count(6)
    expect(quiet.locator("#failed")).to_be_hidden()
    colours = quiet.locator("#drawing .ribbon[style]").evaluate_all(
        "all => all.map(r => getComputedStyle(r).stroke)"
    )
    red, green, blue = (int(ROLES["skip"][place : place + 2], 16) for place in (1, 3, 5))
    # The policy lets the drawing's own styles through.
    assert f"rgb({red}, {green}, {blue})" in colours
    assert quiet.asked == ["about:blank", file.as_uri()] or quiet.asked == [file.as_uri()]


def test_a_page_from_a_host_asks_for_itself_only(quiet, file):
    asked = []

    class Host(SimpleHTTPRequestHandler):
        def log_message(self, form, *arguments):
            asked.append(self.path)

    host = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=file.parent))
    threading.Thread(target=host.serve_forever, daemon=True).start()
    try:
        look(quiet, f"http://127.0.0.1:{host.server_port}/{file.name}", "part=block2")
        expect(quiet.locator("#lanes .flow canvas").first).to_be_visible()
        quiet.get_by_role("switch", name="branch block2.skip").click()
        expect(quiet.locator("#answer")).to_contain_text("With everything on")
    finally:
        host.shutdown()
        host.server_close()
    assert asked == [f"/{file.name}"]


def test_the_policy_stops_what_would_ask_or_run(browser, file):
    page = browser.new_page()
    stopped = []
    page.on("console", lambda message: stopped.append(message.text))
    look(page, file.as_uri())
    found = page.evaluate(
        """async () => {
          const ran = [];
          window.hit = () => ran.push("script");
          const script = document.createElement("script");
          script.textContent = "hit()";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=hit()>");
          await fetch("https://example.org/").then(() => ran.push("fetch"), () => {});
          return ran;
        }"""
    )
    assert found == []
    assert len([text for text in stopped if "Content Security Policy" in text]) >= 3
    page.close()


def test_a_switch_changes_maps_prediction_and_accuracy_as_the_network_does(quiet, file):
    look(quiet, file.as_uri())
    expect(quiet.locator("#answer b")).to_have_text(re.compile(r"^Predicted: 2 \(9\d\.\d %\)$"))
    before = maps(quiet)
    quiet.get_by_role("switch", name="branch block1.residual").click()
    expect(quiet.locator("#answer b")).to_have_text(
        re.compile(r"^Predicted: 8 \(9\d\.\d %\); the label is 2$")
    )
    assert state(quiet)["off"] == ["block1.residual"]
    after = maps(quiet)
    assert len(before) == len(after)
    assert before != after
    expect(quiet.locator("#answer")).to_contain_text("With everything on: 2 (9")
    expect(quiet.locator("#answer")).to_contain_text("on the first 500 test images")
    expect(quiet.locator("#drawing .lane.off")).to_have_count(1)
    quiet.get_by_role("button", name="Switch all on").click()
    expect(quiet.locator("#answer b")).to_have_text(re.compile(r"^Predicted: 2 "))
    assert maps(quiet) == before


def test_back_shows_what_was_there_and_a_link_shows_the_same_to_another(quiet, browser, file):
    look(quiet, file.as_uri())
    quiet.locator("#images label").nth(2).click()
    quiet.locator("#drawing [data-name=block2]").first.click()
    quiet.locator("#branches").get_by_role("switch", name="block2.skip").click()
    expect(quiet.locator("#unknown")).to_be_hidden()
    assert state(quiet) == {"image": ["3520"], "part": ["block2"], "off": ["block2.skip"]}
    answer, drawn = quiet.locator("#answer").inner_text(), maps(quiet)
    other = browser.new_page(viewport={"width": 1280, "height": 900})
    other.goto(quiet.url)
    expect(other.locator("#answer")).to_contain_text(answer.splitlines()[0])
    assert other.locator("#answer").inner_text() == answer
    assert maps(other) == drawn
    other.close()
    quiet.go_back()
    expect(quiet.locator("#answer")).not_to_contain_text("With everything on")
    assert "off" not in state(quiet)


def test_what_was_not_computed_is_said_and_not_guessed(quiet, file):
    look(quiet, file.as_uri(), "off=block1.skip&off=block2.residual")
    note = quiet.locator("#unknown")
    expect(note).to_contain_text("This combination was not computed")
    expect(note).to_contain_text("--off block1.skip --off block2.residual")
    expect(quiet.locator("#answer b")).to_have_text("Not computed")
    expect(quiet.locator("#lanes")).to_be_hidden()
    expect(quiet.locator(".bars .now")).to_have_count(0)
    expect(quiet.locator("#drawing .lane.off")).to_have_count(2)
    look(quiet, file.as_uri(), "off=nowhere")
    expect(note).to_contain_text("There is no switch nowhere in this page.")


@pytest.mark.parametrize(
    "said",
    ["image=99999&part=none", "image=-1&off=", "%%%", "part=%00&image=%F0%9F", "off=<b>x</b>"],
)
def test_no_address_breaks_the_page(quiet, file, said):
    look(quiet, file.as_uri(), said)
    expect(quiet.locator("#failed")).to_be_hidden()
    expect(quiet.locator("#images input").first).to_be_checked()
    expect(quiet.locator("#unknown b")).to_have_count(0)


def test_each_state_links_back_to_the_explorer(quiet, file):
    look(quiet, file.as_uri(), "image=3520&part=block2&off=block2.skip")
    link = quiet.get_by_role("link", name="Open this in the explorer").get_attribute("href")
    assert link.startswith(f"{URL}/inside?")
    assert parse_qs(urlparse(link).query) == {
        "net": [recorded("residual")],
        "epoch": ["10"],
        "image": ["3520"],
        "part": ["block2"],
        "off": ["block2.skip"],
    }


def test_everything_is_reached_by_keyboard(quiet, file):
    look(quiet, file.as_uri())
    quiet.locator("#images input").first.focus()
    quiet.keyboard.press("ArrowRight")
    expect(quiet.locator("#answer b")).to_have_text(re.compile("^Predicted: 7 "))
    quiet.get_by_label("Part", exact=True).select_option("block2")
    expect(quiet.locator("#lanes .title")).to_have_text(re.compile("^block2: sum of 2"))
    quiet.locator("#lanes").get_by_role("switch", name="branch block2.skip").focus()
    quiet.keyboard.press("Space")
    expect(quiet.locator("#answer")).to_contain_text("With everything on")
    canvas = quiet.locator("#lanes .flow canvas").first
    canvas.focus()
    quiet.keyboard.press("Enter")
    expect(quiet.get_by_role("dialog")).to_be_visible()
    expect(quiet.locator("#large-title")).to_have_text(re.compile("channel 0 of 32$"))
    quiet.get_by_role("button", name="Next map").press("Enter")
    expect(quiet.locator("#large-title")).to_have_text(re.compile("channel 1 of 32$"))
    quiet.keyboard.press("Escape")
    expect(quiet.get_by_role("dialog")).to_be_hidden()
    chart = quiet.locator("#charts svg[role=application]").first
    chart.focus()
    quiet.keyboard.press("ArrowLeft")
    quiet.keyboard.press("ArrowRight")
    reading = quiet.locator("#charts .reading").first
    expect(reading).to_have_text("epoch 10: test accuracy 99.08 %")
    quiet.keyboard.press("ArrowUp")
    expect(reading).to_have_text(re.compile(r"^epoch 10: training accuracy \d\d\.\d\d %$"))


def test_pointing_reads_curves_and_maps(quiet, file):
    look(quiet, file.as_uri())
    box = quiet.locator("#charts svg[role=application]").nth(1).bounding_box()
    quiet.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    reading = quiet.locator("#charts .reading").nth(1)
    expect(reading).to_have_text(re.compile(r"^epoch [\d.]+: (test|training) loss 0\.\d+$"))
    quiet.locator("#lanes .flow canvas").first.hover(position={"x": 10, "y": 10})
    expect(quiet.locator("#lanes .reading")).to_contain_text("channel 0, row ")
    expect(quiet.locator("#lanes .reading")).to_contain_text("sees 10×10 pixels")


SIZES = """() => {
  const found = [];
  const walk = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) walk(node.shadowRoot);
      const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
      if (!own || !node.getClientRects().length || /^(script|style|title)$/i.test(node.tagName)) {
        continue;
      }
      const svg = node.ownerSVGElement;
      const zoom = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
      const size = zoom * parseFloat(getComputedStyle(node).fontSize);
      found.push([size, node.textContent.slice(0, 30)]);
    }
  };
  walk(document.body);
  return found;
}"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_width_and_theme_can_be_read(quiet, file, width, scheme):
    quiet.emulate_media(color_scheme=scheme)
    quiet.set_viewport_size({"width": width, "height": 900})
    look(quiet, file.as_uri(), "off=block2.skip")
    expect(quiet.locator("#lanes .flow canvas").first).to_be_visible()
    assert quiet.evaluate("document.documentElement.scrollWidth") <= width
    sizes = quiet.evaluate(SIZES)
    assert len(sizes) > 60
    assert [text for size, text in sizes if size < 11.99] == []
    style = "getComputedStyle(document.body)"
    text, ground = (quiet.evaluate(f"{style}.{name}") for name in ("color", "backgroundColor"))
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (text, ground)]
    assert (brightness[0] > brightness[1]) == (scheme == "dark")
    assert abs(brightness[0] - brightness[1]) > 500


def test_a_network_without_branches_has_a_page_too(quiet, tmp_path, cache):
    file = export(tmp_path, cache, recorded("plain"), "--images", "2", "--test-images", "100")
    look(quiet, file.as_uri())
    expect(quiet.locator("#lanes .flow canvas").first).to_be_visible()
    expect(quiet.locator("#worth")).to_be_hidden()
    expect(quiet.get_by_role("link")).to_have_count(0)
    expect(quiet.locator("#images input")).to_have_count(2)
