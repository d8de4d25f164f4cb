"""The drawing of a network in a real browser: what only a browser knows of it."""

import base64
from pathlib import Path
from xml.etree import ElementTree

import pytest
import streamlit
from playwright.sync_api import expect

from explorer.charts.marks import text_width
from explorer.charts.svg import network_svg
from explorer.inspection.outline import outline
from explorer.plugin.registry import discover
from explorer.runs.recorded import open_examples
from explorer.spec import ImageSpec

pytestmark = pytest.mark.browser

MNIST = ImageSpec(1, 28, 10)
FONT = next(Path(streamlit.__file__).parent.rglob("SourceSansVF-Upright*.woff2"))


@pytest.mark.parametrize("name", ["inception", "resnet34"])
def test_no_text_is_wider_in_the_browser_than_the_layout_takes_it_to_be(page, name):
    parts = outline(discover()[name].build(MNIST), MNIST).parts
    font = base64.b64encode(FONT.read_bytes()).decode()
    page.set_content(
        '<style>@font-face { font-family: "Source Sans"; font-weight: 200 900; '
        f"src: url(data:font/woff2;base64,{font}) }}</style>"
        + "".join(network_svg(parts, MNIST, way) for way in ("horizontal", "vertical"))
    )
    page.evaluate("Promise.all(['', '600 '].map(w => document.fonts.load(w + '12px Source Sans')))")
    texts = page.evaluate(
        "[...document.querySelectorAll('text')].map(text =>"
        " [text.textContent, text.getAttribute('class') ?? '', text.getComputedTextLength()])"
    )
    assert len(texts) > 40
    assert [text for text, style, width in texts if width > text_width(text, style)] == []


def test_nothing_in_the_drawing_beside_the_training_can_be_pressed(page, app):
    page.goto(f"{app}/train?architecture=inception")
    expect(page.locator("svg.vertical [data-name=incep1]")).to_be_visible()
    expect(page.locator("svg.vertical [role=button]")).to_have_count(0)


def look(page, app, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    run = next(run for run in open_examples().runs() if run.spec.architecture == "inception")
    page.goto(f"{app}/inside?net={run.id}&part=incep2")
    expect(page.locator(".lanes canvas").nth(2)).to_be_visible()
    expect(page.locator(".opened")).to_have_attribute("data-name", "incep2")


def scrolled(page) -> list[float]:
    """How far the drawing is scrolled sideways, and how far the page is down."""
    down = page.get_by_test_id("stMain").evaluate("main => main.scrollTop")
    return [page.locator(".drawing").evaluate("drawing => drawing.scrollLeft"), down]


def test_a_drawing_wider_than_the_page_says_so_and_scrolls_by_itself_alone(page, app):
    look(page, app, 900)
    aside, down = scrolled(page)
    assert aside > 0  # incep2 is open, so it is in sight
    assert down == 0
    page.get_by_role("button", name="Scroll back").click()
    expect(page.get_by_role("button", name="Scroll back")).to_have_count(0)
    expect(page.get_by_role("button", name="Scroll on")).to_be_visible()
    page.locator('[data-name="incep1"]').focus()
    _, down = scrolled(page)  # a browser brings into sight what has the focus
    page.keyboard.press("Enter")
    expect(page.locator(".opened")).to_have_attribute("data-name", "incep1")
    expect(page.locator(".part:focus")).to_have_attribute("data-name", "incep1")
    expect(page.locator(".drawing")).to_have_js_property("scrollLeft", 0)  # it scrolls smoothly
    assert scrolled(page) == [0, down]


def test_a_drawing_grows_with_the_page_and_is_saved_as_a_file_of_its_own(page, app):
    look(page, app, 1900)
    drawing = page.locator(".drawing svg")
    natural = float(drawing.get_attribute("width"))
    assert 1.2 * natural < drawing.bounding_box()["width"] < 1.3 * natural
    assert page.get_by_role("button", name="Scroll on").count() == 0
    page.locator(".drawing").hover()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as SVG").click()
    assert download.value.suggested_filename == "inception-epoch-10.svg"
    saved = ElementTree.parse(download.value.path())
    texts = list(saved.iter("{http://www.w3.org/2000/svg}text"))
    assert "incep1" in [text.text for text in texts]
    assert all("fill: rgb(" in text.get("style") for text in texts)
