"""The whole way through the app by keyboard alone, and what a screen reader hears on it."""

import re

import pytest
from e2e.test_inside import address_says
from e2e.test_train import no_exception, seen, settled
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# The element that has the focus, also within a component, and its name.
FOCUSED = """() => {
  let node = document.activeElement;
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  if (!node || node === document.body) return null;
  const bare = node.cloneNode(true);
  bare.querySelectorAll("[data-testid=stIconMaterial]").forEach((icon) => icon.remove());
  const label = node.getAttribute("aria-label") || node.labels?.[0]?.textContent ||
    bare.textContent || "";
  const box = node.getBoundingClientRect();
  return {
    name: label.trim().replace(/\\s+/g, " "),
    role: node.getAttribute("role") ?? node.tagName.toLowerCase(),
    seen: box.width > 0 && box.height > 0,
  };
}"""
MOST_STOPS = 250


def tab_to(page, name: str, role: str = "") -> dict:
    """Press Tab until what has the focus has this name."""
    seen = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        seen.append(found and found["name"][:40])
        if found and re.search(name, found["name"]) and re.search(role, found["role"]):
            assert found["seen"]
            return found
    raise AssertionError(f"Tab did not lead to {name!r}, but to {seen}")


def heard(page):
    return page.locator("#explorer-live-region")


def test_the_whole_way_by_keyboard(page, training_app):
    page.goto(f"{training_app}/train?architecture=residual&recipe=fast&fast.train_size=2000")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    settled(page)

    tab_to(page, "^Train$", "button")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 epoch of 2,000 images")).to_be_visible()
    expect(heard(page)).to_contain_text("has finished: test accuracy")

    # A chart is one stop, whose points arrows read; its data is a table one key away.
    settled(page)
    tab_to(page, "Arrow keys read its points")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(heard(page)).to_contain_text("%")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("table")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.reload()
    settled(page)
    tab_to(page, "^Look inside residual")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Look inside")).to_be_visible()
    expect(page.locator(".lanes canvas").first).to_be_visible()
    settled(page)

    tab_to(page, r"branch block1\.skip", "switch")
    page.keyboard.press("Space")
    expect(heard(page)).to_contain_text("without block1.skip")
    settled(page)

    tab_to(page, r"\d+ maps of \d+×\d+", "application")
    page.keyboard.press("ArrowRight")
    expect(heard(page)).to_contain_text("channel 0, row 0, column 0")
    page.keyboard.press("ArrowDown")
    expect(heard(page)).to_contain_text("row 1, column 0")
    page.keyboard.press("PageDown")
    expect(heard(page)).to_contain_text("channel 1, row 1, column 0")
    page.keyboard.press("Enter")
    expect(page.locator(".unit canvas.large")).to_be_visible()
    settled(page)
    tab_to(page, "arrow keys|Arrow keys", "img|application")
    before = page.locator(".unit .where").inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".unit .where")).not_to_have_text(before)
    page.keyboard.press("Escape")
    expect(page.locator(".unit canvas.large")).to_have_count(0)
    settled(page)

    page.evaluate("document.activeElement.blur()")
    tab_to(page, "^Test set", "radio")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    address_says(page, "source", "Draw")
    settled(page)
    tab_to(page, "^Drawing", "application")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(heard(page)).to_contain_text(re.compile("Predicted: .|The pen is up"))
    expect(seen(page).get_by_text(re.compile("^Predicted: "))).to_be_visible()
    no_exception(page)


def test_two_networks_are_compared_by_keyboard(page, app):
    page.goto(f"{app}/inside")
    expect(page.locator(".lanes").first).to_be_visible()
    settled(page)
    tab_to(page, "^Compare with")
    page.keyboard.type("inception")
    page.keyboard.press("Enter")
    expect(page.locator(".lanes")).to_have_count(2)
    expect(page.get_by_text("Predicted: ").nth(1)).to_be_visible()
    no_exception(page)


def test_a_first_touch_reads_and_a_second_one_opens(browser, app):
    context = browser.new_context(viewport={"width": 800, "height": 900}, has_touch=True)
    page = context.new_page()
    page.goto(f"{app}/inside")
    maps = page.locator(".lanes canvas").first
    expect(maps).to_be_visible()
    settled(page)
    maps.tap(position={"x": 10, "y": 10})
    expect(page.locator(".tip .reading")).to_contain_text("channel 0")
    expect(page.locator(".unit canvas.large")).to_have_count(0)
    maps.tap(position={"x": 12, "y": 12})
    expect(page.locator(".unit canvas.large")).to_be_visible()
    context.close()


def test_nothing_on_a_page_scrolls_by_itself(page, app):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{app}/inside")
    expect(page.locator(".lanes canvas").first).to_be_visible()
    settled(page)
    assert page.get_by_test_id("stMain").evaluate("node => node.scrollTop") == 0


def test_the_focus_is_seen_wherever_it_is(page, app):
    """Each stop has an outline, a ring or another border than without the focus."""
    page.goto(f"{app}/inside")
    expect(page.locator(".lanes canvas").first).to_be_visible()
    settled(page)
    page.keyboard.press("Tab")
    unseen = []
    for _ in range(40):
        look = page.evaluate(
            """() => {
              let node = document.activeElement;
              while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
              const box = node.getBoundingClientRect();
              return { x: box.x - 6, y: box.y - 6, width: box.width + 12, height: box.height + 12,
                name: node.getAttribute("aria-label") ?? node.textContent.slice(0, 40) };
            }"""
        )
        name = look.pop("name")
        page.keyboard.press("Tab")
        if look["y"] < 0 or look["y"] + look["height"] > 900 or look["x"] < 0:
            continue
        after = page.screenshot(clip=look)
        page.keyboard.press("Shift+Tab")
        if page.screenshot(clip=look) == after:
            unseen.append(name)
        page.keyboard.press("Tab")
    assert unseen == []
