"""A link shows in another browser what was seen in the first, and a frame shows its part alone."""

import re

import pytest
from e2e.test_inside import ONE, SEVEN, asked, draw, example, no_exception
from playwright.sync_api import expect
from serving import serving

pytestmark = pytest.mark.browser


def ready(page) -> None:
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    no_exception(page)


def copied(page) -> str:
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    return page.evaluate("navigator.clipboard.readText()")


def prediction(page) -> str:
    return page.get_by_role("strong").filter(has_text="Predicted: ").inner_text()


CLIPBOARD = ("clipboard-read", "clipboard-write")


def test_a_link_shows_the_drawing_the_switch_and_the_answer_to_somebody_else(visit, app):
    query = f"net={example('inception')}&part=incep1&source=Draw&ask=Pixels"
    page = visit(f"{app}/inside?{query}", *CLIPBOARD)
    ready(page)
    draw(page, SEVEN)
    expect(page.get_by_role("strong").filter(has_text="Predicted: 7")).to_be_visible()
    page.get_by_role("switch", name="branch incep1.branch5x5").click()
    expect(page.get_by_text(re.compile("points without incep1.branch5x5"))).to_be_visible()
    page.get_by_text("a model", exact=True).click()
    page.wait_for_url(re.compile("scale=model"))
    ready(page)
    link = copied(page)
    other = visit(link)
    expect(other.get_by_text(re.compile("points without incep1.branch5x5"))).to_be_visible()
    expect(other.get_by_text("Which pixels raise or lower")).to_be_visible()
    ready(other)
    assert other.url == link
    assert prediction(other) == prediction(page)
    expect(other.get_by_role("switch", name="branch incep1.branch5x5")).not_to_be_checked()
    square = "canvas => canvas.toDataURL().length"
    assert other.get_by_role("application", name="Drawing").evaluate(square) > 3000
    # A stroke goes on from what was drawn.
    draw(other, ONE)
    other.wait_for_function("link => location.href != link", arg=link)
    assert len(asked(other, "drawing")[0]) > len(asked(page, "drawing")[0])
    other.get_by_role("button", name="Clear the drawing").click()
    expect(other.get_by_text("Nothing to see yet").first).to_be_visible()
    no_exception(other)


def test_each_action_is_one_entry_and_back_leads_through_them(visit, app):
    def length():
        return page.evaluate("history.length")

    page = visit(f"{app}/inside")
    ready(page)
    page.wait_for_url(re.compile("net="))  # what the page opened on replaces the bare address
    first = length()
    image = int(page.get_by_role("spinbutton", name="Test image").input_value()) + 1
    page.get_by_role("button", name="Next", exact=True).click()
    page.wait_for_url(re.compile(f"image={image}"))
    page.get_by_text("Draw", exact=True).click()
    page.wait_for_url(re.compile("source=Draw"))
    ready(page)
    draw(page, SEVEN)
    page.wait_for_url(re.compile("drawing="))
    ready(page)
    assert length() == first + 3
    drawn = page.url
    page.reload()
    expect(page.get_by_role("strong").filter(has_text="Predicted: 7")).to_be_visible()
    assert page.url == drawn
    page.get_by_role("link", name="Train", exact=True).click()
    expect(page.get_by_text("Until then, a recorded example")).to_be_visible()
    page.get_by_text("tutorial", exact=True).click()
    page.wait_for_url(re.compile("recipe=tutorial"))
    assert asked(page, "net") == asked(page, "drawing") == []
    epochs = page.get_by_role("spinbutton", name="Epochs")
    expect(epochs).to_have_value("10")
    page.go_back()
    expect(epochs).to_have_value("1")
    page.go_back()
    expect(page.get_by_role("strong").filter(has_text="Predicted: 7")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("Nothing to see yet").first).to_be_visible()
    page.go_back()
    expect(page.get_by_role("spinbutton", name="Test image")).to_have_value(str(image))
    page.go_forward()
    expect(page.get_by_text("Nothing to see yet").first).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("strong").filter(has_text="Predicted: 7")).to_be_visible()
    assert page.url == drawn
    no_exception(page)


def test_a_picture_comes_with_the_link(visit, app, tmp_path):
    from PIL import Image, ImageDraw

    paper = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(paper).line([(100, 40), (190, 40), (130, 170)], "black", 14, joint="curve")
    paper.save(tmp_path / "seven.jpg")
    page = visit(f"{app}/inside?net={example('residual')}&source=Upload", *CLIPBOARD)
    page.locator("input[type=file]").set_input_files(tmp_path / "seven.jpg")
    expect(page.get_by_role("strong").filter(has_text="Predicted: 7 (")).to_be_visible()
    ready(page)
    other = visit(copied(page))
    expect(other.get_by_role("strong").filter(has_text="Predicted: 7 (")).to_be_visible()
    assert prediction(other) == prediction(page)


def test_a_browser_that_refuses_to_copy_gets_the_link_selected(visit, app):
    page = visit(f"{app}/inside?net={example('plain')}&image=3")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    ready(page)
    page.get_by_role("button", name="Copy link").click()
    field = page.get_by_label("Your browser does not let the page copy")
    expect(field).to_have_value(page.url)
    assert field.evaluate("field => field.selectionEnd - field.selectionStart") == len(page.url)


@pytest.fixture(scope="module")
def framed(tmp_path_factory, cache, other_site):
    """An app that may be shown in a frame of 127.0.0.1, and in no other."""
    origin = f"http://127.0.0.1:{other_site.server_port}"
    runs = tmp_path_factory.mktemp("framed") / "runs.sqlite"
    with serving(runs, cache, EXPLORER_FRAME_ORIGINS=origin) as (address, _):
        yield address


def test_a_frame_shows_the_part_and_a_line_and_no_control(visit, framed, other_site):
    query = f"net={example('inception')}&part=incep2&image=3&embed=true"
    page = visit(f"http://127.0.0.1:{other_site.server_port}/?{framed}/inside?{query}")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("strong").filter(has_text="Predicted: 0")).to_be_visible()
    expect(frame.get_by_text("inception, epoch 10, incep2")).to_be_visible()
    expect(frame.locator(".lanes canvas").nth(2)).to_be_visible()
    frame.get_by_role("switch", name="branch incep2.branch_pool").click()
    expect(frame.get_by_role("switch", name="branch incep2.branch_pool")).not_to_be_checked()
    for name in ("Train", "Look inside"):
        expect(frame.get_by_role("link", name=name)).to_have_count(0)
    for role in ("button", "slider", "combobox", "heading"):
        shown = frame.get_by_role(role).filter(visible=True)
        names = [
            name for name in shown.all_inner_texts() if name not in ("Save as PNG", "Data", "")
        ]
        assert [name for name in names if "conv" not in name] == []
    refused = visit(f"http://localhost:{other_site.server_port}/?{framed}/inside?{query}")
    refused.wait_for_timeout(1000)
    expect(refused.frame_locator("iframe").locator(".lanes")).to_have_count(0)
