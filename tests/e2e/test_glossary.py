"""A word of the field is explained where a page first uses it, by pointer and by keyboard."""

import pytest
from e2e.test_train import no_exception, settled
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# Where the first marked word is.
MARKED = """() => {
  const [range] = CSS.highlights.get("explorer-term") ?? [];
  if (!range) return null;
  const { x, y, width, height } = range.getBoundingClientRect();
  return { x: x + width / 2, y: y + height / 2, text: range.toString() };
}"""


def open_train(page, app) -> None:
    page.goto(f"{app}/train")
    expect(page.get_by_role("navigation", name="Words on this page")).to_be_visible()
    settled(page)


def test_a_click_on_a_word_explains_it(page, app):
    open_train(page, app)
    page.wait_for_timeout(1_000)  # the page has been looked through
    marked = page.evaluate(MARKED)
    assert marked["text"]
    page.mouse.click(marked["x"], marked["y"])
    card = page.locator(".term-card")
    expect(card).to_be_visible()
    expect(card.locator("svg")).to_be_visible()
    assert marked["text"].lower().rstrip("s") in card.inner_text().lower()
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    no_exception(page)


def test_a_button_below_the_page_explains_it_too_and_leads_to_all_words(page, app):
    open_train(page, app)
    words = page.get_by_role("navigation", name="Words on this page")
    button = words.get_by_role("button", name="epoch")
    button.focus()
    page.keyboard.press("Enter")
    card = page.get_by_role("dialog", name="epoch")
    expect(card.locator("svg")).to_be_visible()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    card.get_by_role("link", name="All words").click()
    expect(page.get_by_role("heading", level=2).first).to_have_text("Epoch")
    no_exception(page)


def test_the_explanation_is_in_the_reader_s_language(page, app):
    page.goto(f"{app}/train?lang=zh-CN")
    words = page.get_by_role("navigation", name="本页的术语")
    words.get_by_role("button", name="残差").click()
    expect(page.get_by_role("dialog", name="残差")).to_contain_text("F(x)")
    expect(page.get_by_role("dialog").locator("svg")).to_have_attribute("aria-label", "残差")
