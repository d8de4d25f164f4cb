"""axe-core finds no fault on any page, in either theme, on a desk and on a phone."""

import importlib.resources

import pytest
from e2e.test_inside import example, no_exception
from e2e.test_train import settled
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
STATES = {
    "why": ("", "Do it yourself"),
    "lesson": ("?about=residual", "Sources"),
    "train": ("train", "Until then, a recorded example"),
    "look inside": ("inside", "What is each branch worth"),
    "arithmetic": (f"inside?net={example('residual')}&map=block2.conv1:3", "What is each branch"),
    "drawing": ("inside?source=Draw", "Nothing to see yet"),
    "mistakes": ("inside?ask=Mistakes", "test images are classified incorrectly"),
    "runs": ("runs", "No run of your own yet"),
    "plugins": ("plugins", "Check"),
    "glossary": ("glossary", "receptive field"),
    "large": ("inside?big=1", "What is each branch worth"),
}
VIEWS = {"light, 1280 px": ("light", 1280), "dark, 360 px": ("dark", 360)}


def faults(page) -> list[str]:
    """Return what axe-core finds; a component's words may come a moment after the page has run."""
    page.evaluate(AXE)
    options = "{ resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } }"
    for _ in range(5):
        violations = page.evaluate(f"axe.run(document, {options})")["violations"]
        if not violations:
            break
        page.wait_for_timeout(1_000)
    return [f"{each['id']}: {node['html'][:200]}" for each in violations for node in each["nodes"]]


# Text below 12 pixels, in the page and in its components.
SMALL = """() => {
  const found = new Set();
  const look = (root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node; (node = walker.nextNode()); ) {
      if (node.shadowRoot) look(node.shadowRoot);
      if (node.nodeType !== 3 || !node.textContent.trim()) continue;
      const box = node.parentElement;
      if (/STYLE|SCRIPT/.test(box.tagName) || !box.checkVisibility()) continue;
      const scale = box.ownerSVGElement?.getScreenCTM?.()?.a ?? 1;
      const size = parseFloat(getComputedStyle(box).fontSize) * Math.min(scale, 1);
      if (size < 11.95) found.add(`${size.toFixed(1)} px: ${node.textContent.trim().slice(0, 40)}`);
    }
  };
  look(document.body);
  return [...found];
}"""


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_fault(page, app, state, view):
    (path, words), (scheme, width) = STATES[state], VIEWS[view]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{app}/{path}")
    expect(page.get_by_text(words).first).to_be_visible()
    settled(page)
    no_exception(page)
    found = faults(page), page.evaluate(SMALL)
    page.emulate_media(color_scheme="light")
    assert found == ([], [])


def test_a_picture_without_words_is_a_fault(page, app):
    page.goto(f"{app}/runs")
    expect(page.get_by_text("No run of your own yet")).to_be_visible()
    page.evaluate("document.body.append(document.createElement('img'))")
    assert "image-alt: <img>" in faults(page)
