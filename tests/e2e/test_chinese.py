"""Every page in Chinese: no English sentence is left, and nothing is cut off."""

import re

import pytest
from e2e.test_accessibility import STATES, faults
from e2e.test_train import no_exception, settled
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# All that a reader sees or hears, without names and code.
READ = """() => {
  const found = new Set();
  const isShown = (node) => node.checkVisibility({ visibilityProperty: true });
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const ignored = "code, pre, style, script, noscript, template, [data-testid=stMainMenu], " +
    "[data-testid=stIconMaterial], a[href^='https://']"; // a citation
  for (let node; (node = walker.nextNode()); ) {
    if (node.parentElement?.closest(ignored) || !isShown(node.parentElement)) continue;
    found.add(node.textContent.trim());
  }
  for (const node of document.querySelectorAll("[aria-label], [alt], [title], [placeholder]")) {
    if (node.closest(ignored)) continue;
    const names = ["aria-label", "alt", "title", "placeholder"];
    for (const name of names) found.add((node.getAttribute(name) ?? "").trim());
  }
  return [...found].filter(Boolean);
}"""
# Three words in a row of which one is small: no name of a layer, a network or an author is so.
SENTENCE = re.compile(r"(?:\b[A-Za-z']+[ ,]+){2,}[A-Za-z']+")
SMALL = {
    *("a", "an", "the", "of", "to", "is", "are", "in", "on", "for", "with", "no", "not", "and"),
    *("or", "by", "at", "from", "this", "that", "which", "it", "its", "what", "be", "as", "all"),
}
# Streamlit's own words, which cannot be set.
STREAMLITS = {
    *("Streamlit", "Open options", "Clear value", "Skip to main content", "Choose an option"),
    *("Download as CSV", "Show/hide columns", "Search", "Fullscreen", "Link to heading"),
    "Copy to clipboard",
}


def english_sentences(texts: list[str]) -> list[str]:
    found = []
    for text in texts:
        for match in SENTENCE.finditer(text):
            words = {word.lower() for word in re.findall("[A-Za-z']+", match[0])}
            if words & SMALL and not any(own in text for own in STREAMLITS):
                found.append(match[0])
    return found


def cut_off(page) -> list[str]:
    """Return the texts that are wider than their element, which hides the rest."""
    return page.evaluate(
        """() => [...document.querySelectorAll("[data-testid=stMain] *")].filter((node) => {
          const { overflowX, textOverflow } = getComputedStyle(node);
          const hides = ["hidden", "clip"].includes(overflowX) || textOverflow === "ellipsis";
          const isText = (each) => each.nodeType === 3 && each.textContent.trim();
          const { clientWidth: room, scrollWidth: wanted } = node;
          return hides && [...node.childNodes].some(isText) && room > 1 && wanted > room + 1;
        }).map((node) => node.textContent.trim().slice(0, 60))"""
    )


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("state", STATES)
def test_a_page_is_in_chinese_and_axe_finds_no_fault(page, app, state, width):
    path, _ = STATES[state]
    # English is tried the other way round, so that each two of language, theme and width meet.
    page.emulate_media(color_scheme="dark" if width == 1280 else "light")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{app}/{path}{'&' if '?' in path else '?'}lang=zh-CN")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("h1, h2").first).to_contain_text(re.compile("[一-鿿]"))
    settled(page)
    no_exception(page)
    found = english_sentences(page.evaluate(READ)), cut_off(page), faults(page)
    page.emulate_media(color_scheme="light")
    assert found == ([], [], [])


def test_the_language_is_switched_and_stays(page, app):
    page.goto(f"{app}/train")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.get_by_role("heading", name="训练一个网络")).to_be_visible()
    page.wait_for_url(re.compile("lang=zh-CN"))
    page.get_by_role("link", name="运行").first.click()
    expect(page.get_by_text("还没有").first).to_be_visible()
    page.wait_for_url(re.compile("lang=zh-CN"))
    page.go_back()
    page.go_back()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_an_english_sentence_would_be_found():
    assert english_sentences(["卷积 3×3 the rest of it", "残差 block2.skip", "Kaiming He and X"])
    assert english_sentences(["block2 conv1 ReLU", "残差网络 ResNet"]) == []
