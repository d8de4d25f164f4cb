"""Each word of the glossary has a drawing whose words can be read in every language and theme."""

import re
from base64 import b64decode
from gettext import NullTranslations
from io import BytesIO
from itertools import combinations
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from explorer.charts.glossary import FIGURES, glossary_svg
from explorer.charts.glossary.digits import DIGITS, EDGE, convolved, digit, windows
from explorer.charts.glossary.pen import HEIGHT, WIDTH, Axes, cells, line, words
from explorer.charts.marks import SIZE, text_width
from explorer.charts.style import SIGNED, WEIGHTS
from explorer.labs.glossary import ENTRIES
from explorer.language import say, sentences, speaking

SVG = "{http://www.w3.org/2000/svg}"
PAGES = ("#ffffff", "#0e1117")


class Text(NamedTuple):
    """Where words are."""

    words: str
    left: float
    right: float
    middle: float


class Wide(NullTranslations):
    """Says everything twice."""

    def gettext(self, message):
        return f"{message} {message}"

    def ngettext(self, one, many, number):
        return self.gettext(one if number == 1 else many)


def drawn(name: str) -> ElementTree.Element:
    term = next(entry.term for entry in ENTRIES if entry.name == name)
    return ElementTree.fromstring(glossary_svg(name, say(term)))


def texts(svg: ElementTree.Element) -> list[Text]:
    found = []
    for text in svg.iter(f"{SVG}text"):
        width, x = text_width(text.text), float(text.get("x"))
        left = x - {None: 0, "middle": width / 2, "end": width}[text.get("text-anchor")]
        found.append(Text(text.text, left, left + width, float(text.get("y")) - 0.35 * SIZE))
    return found


def on_page(svg: ElementTree.Element) -> list[Text]:
    """Return the words that are not in a cell, whose ground is not the page."""
    inks = [text.get("fill") for text in svg.iter(f"{SVG}text")]
    return [text for text, ink in zip(texts(svg), inks, strict=True) if ink == "currentColor"]


def assert_texts_fit(svg: ElementTree.Element) -> None:
    for text in texts(svg):
        assert text.left >= 0, text
        assert text.right <= WIDTH, text
        assert SIZE / 2 <= text.middle <= HEIGHT - SIZE / 2, text


def light(hue: str) -> float:
    """Return the relative luminance, as WCAG 2 has it."""
    rgb = np.array([int(hue[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one: str, other: str) -> float:
    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_every_word_has_a_drawing_and_no_other():
    assert {*FIGURES} == {entry.name for entry in ENTRIES}


@pytest.mark.parametrize("name", FIGURES)
def test_a_drawing_is_an_image_with_a_name_and_of_the_size_of_all(name):
    svg = drawn(name)
    assert svg.tag == f"{SVG}svg"
    assert svg.get("role") == "img"
    assert svg.get("aria-label") in {entry.term for entry in ENTRIES}
    assert svg.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}" == "0 0 260 120"
    assert len(glossary_svg(name, "")) < 20_000


def test_a_drawing_is_the_same_each_time():
    assert {glossary_svg(name, "") for name in FIGURES} == {
        glossary_svg(name, "") for name in FIGURES
    }


@pytest.mark.parametrize("spoken", ["en", "zh-CN"])
@pytest.mark.parametrize("name", FIGURES)
def test_words_are_within_the_drawing_whole_and_apart(name, spoken):
    with speaking(spoken):
        svg = drawn(name)
    assert_texts_fit(svg)
    for one, other in combinations(on_page(svg), 2):
        apart = one.right <= other.left or other.right <= one.left
        assert apart or abs(one.middle - other.middle) >= SIZE, (one, other)
    assert not [text for text in texts(svg) if "…" in text.words]


@pytest.mark.parametrize("name", FIGURES)
def test_words_of_a_longer_language_are_within_the_drawing_too(name, monkeypatch):
    monkeypatch.setattr(sentences, "catalogue", lambda _: Wide())
    assert_texts_fit(drawn(name))


@pytest.mark.parametrize("name", FIGURES)
def test_no_word_is_smaller_than_twelve_pixels(name):
    svg = glossary_svg(name, "")
    sizes = re.findall(r"font(?:-size)?[:=]\W*([\d.]+)", svg)
    assert sizes == ["12"]
    assert "transform" not in svg
    assert drawn(name).get("width") == str(WIDTH)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", FIGURES)
def test_hues_are_seen_on_a_page_of_either_theme(name, page):
    svg = drawn(name)
    hues = {part.get(what) for part in svg.iter() for what in ("fill", "stroke")}
    words = {text.get("fill") for text in svg.iter(f"{SVG}text")}
    # Negative values have one hue on all pages, which are bars here; words are in ink.
    hues -= {None, "none", SIGNED[0][1], *words}
    assert words <= {"currentColor", "#000000", "#ffffff"}
    assert [hue for hue in hues if contrast(hue, page) < 3] == []


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_drawn_is_within_the_drawing(name):
    for part in drawn(name).iter():
        if part.tag in (f"{SVG}rect", f"{SVG}image"):
            x, y, width, height = (float(part.get(key)) for key in ("x", "y", "width", "height"))
            assert min(x, y, width, height) >= 0
            assert x + width <= WIDTH
            assert y + height <= HEIGHT
        elif part.tag == f"{SVG}circle":
            x, y, radius = (float(part.get(key)) for key in ("cx", "cy", "r"))
            assert radius <= x <= WIDTH - radius
            assert radius <= y <= HEIGHT - radius
        elif part.tag == f"{SVG}path" and "h" not in part.get("d") and "C" not in part.get("d"):
            places = re.findall(r"(-?[\d.]+),(-?[\d.]+)", part.get("d"))
            assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in places)


@pytest.mark.parametrize("ramp", [SIGNED, WEIGHTS])
def test_the_number_in_a_cell_is_read_on_the_colour_of_the_cell(ramp):
    values = np.linspace(-1, 1, 41)[None]
    svg = ElementTree.fromstring(f'<g xmlns="{SVG[1:-1]}">{cells(0, 0, 20, values, ramp)}</g>')
    content = b64decode(svg[0].get("href").partition(",")[2])
    colours = np.asarray(Image.open(BytesIO(content)).convert("RGB"))[0]
    numbered = cells(0, 0, 20, values, ramp, numbers=True)
    inks = re.findall(r'<text [^>]*fill="(#[0-9a-f]{6})"', numbered)
    assert len(inks) == len(colours) == 41
    for ink, colour in zip(inks, colours, strict=True):
        assert contrast(ink, f"#{bytes(colour.tolist()).hex()}") >= 4.5


def test_a_convolution_is_the_sum_of_products_at_every_place():
    image, kernel = np.arange(16).reshape(4, 4), np.array([[0, 1], [2, 0]])
    wanted = [[image[y, x + 1] + 2 * image[y + 1, x] for x in range(3)] for y in range(3)]
    assert convolved(image, kernel).tolist() == wanted
    assert convolved(image, EDGE, padding=1).shape == image.shape
    assert windows(image, 2, stride=2).max((-2, -1)).tolist() == [[5, 7], [13, 15]]


@pytest.mark.parametrize("name", DIGITS)
def test_a_digit_is_drawn_in_full_ink_and_away_from_the_edge(name):
    image = digit(name, 28)
    assert image.min() == 0
    assert image.max() == 1
    assert 0.05 < image.mean() < 0.3
    assert not image[0].any()
    assert not image[-1].any()


def test_values_have_places_between_the_edges_of_axes():
    axes = Axes(10, 20, 100, 50, (-1, 1), (0, 5))
    assert axes.at(-1, 0) == (10, 70)
    assert axes.at(1, 5) == (110, 20)


def test_an_arrow_ends_at_its_tip():
    assert 'd="M50,20L44,23L44,17Z"' in line((10, 20), (50, 20), arrow=True)


def test_words_are_text_whatever_is_in_them():
    assert "&lt;b&gt;" in words(100, 50, "<b>")


def spoken(name: str) -> str:
    return " ".join(text.words for text in texts(drawn(name)))


def test_what_the_drawings_say_is_computed():
    logits = np.array([2.0, 1.0, 0.0, -1.0])
    for chance in np.exp(logits) / np.exp(logits).sum():
        assert f"{100 * chance:.1f} %" in spoken("softmax")
    assert "32·16·9 + 32 = 4,640" in spoken("parameters")
    assert "4,640 parameters" in next(e.text for e in ENTRIES if e.name == "parameters")
    terms, _, total = spoken("convolution").rpartition(" = ")
    products = re.findall(r"(\d+)·(\d+)", terms)
    assert len(products) > 1
    assert sum(int(x) * int(weight) for x, weight in products) + 1 == int(total)
    gains = re.findall(r"[+−][\d.]+", spoken("shares"))
    *parts, logit = (float(gain.replace("−", "-")) for gain in gains)
    assert sum(parts) == pytest.approx(logit)
