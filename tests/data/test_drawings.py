"""Drawings as short texts: what is packed comes back, and no text does harm."""

import io
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from explorer.data.drawings import (
    MOST_CHARACTERS,
    SIDE,
    DrawingError,
    ink_to_png,
    pack_ink,
    read_ink,
    unpack_ink,
)
from explorer.data.mnist import MNIST
from explorer.data.pictures import open_picture, prepare

STROKES = {
    "one": [[(58, 23), (56, 89)]],
    "seven": [[(33, 24), (77, 24), (47, 92)]],
    "four": [[(60, 20), (30, 65), (85, 65)], [(66, 45), (66, 95)]],
    "zig-zag": [[(10 + 9 * i, 20 + 70 * (i % 2)) for i in range(10)]],
}


def png(strokes, side=SIDE):
    """A drawing as the page's square sends it: smooth strokes, white on black."""
    zoom = 4 * side / SIDE
    picture = Image.new("L", (4 * side, 4 * side))
    pen = ImageDraw.Draw(picture)
    for points in strokes:
        places = [(x * zoom, y * zoom) for x, y in points]
        pen.line(places, 255, round(9.3 * zoom), joint="curve")
        for x, y in places:
            pen.ellipse([x - 4.6 * zoom, y - 4.6 * zoom, x + 4.6 * zoom, y + 4.6 * zoom], 255)
    buffer = io.BytesIO()
    picture.resize((side, side), Image.Resampling.LANCZOS).save(buffer, "PNG")
    return buffer.getvalue()


def seen(content):
    """What the network is shown of a picture."""
    return prepare(open_picture(content), MNIST)


def refused(text):
    """The sentence with which a text is refused, or else its ink."""
    try:
        return "", unpack_ink(text)
    except DrawingError as error:
        return str(error), None


@pytest.mark.parametrize("name", STROKES)
def test_a_drawing_is_packed_into_a_short_text_that_gives_the_same_image(name):
    ink = read_ink(png(STROKES[name]))
    text = pack_ink(ink)
    assert len(text) <= 250
    assert set(text) <= set(string.ascii_letters + string.digits + "-_")
    back = unpack_ink(text)
    np.testing.assert_array_equal(back, ink)
    np.testing.assert_array_equal(seen(ink_to_png(back)), seen(ink_to_png(ink)))


@pytest.mark.parametrize("name", STROKES)
def test_ink_shows_the_network_almost_what_the_smooth_drawing_would(name):
    content = png(STROKES[name])
    smooth, inked = seen(content).astype(float), seen(ink_to_png(read_ink(content))).astype(float)
    assert np.abs(smooth - inked).mean() < 6  # of 255


@pytest.mark.parametrize("side", [28, 56, 200, 280])
def test_a_picture_of_another_size_becomes_ink_of_the_same_size(side):
    ink = read_ink(png(STROKES["seven"], side))
    assert ink.shape == (SIDE, SIDE)
    assert (ink == read_ink(png(STROKES["seven"]))).mean() > 0.95


def test_ink_is_read_as_it_was_written():
    ink = np.zeros((SIDE, SIDE), np.bool_)
    ink[3, 100] = ink[111, 0] = True
    np.testing.assert_array_equal(read_ink(ink_to_png(ink)), ink)


def test_the_text_of_a_drawing_stays_what_it_is():
    """If this fails, links that were copied before lead nowhere: give the format a new version."""
    ink = np.zeros((SIDE, SIDE), np.bool_)
    ink[20:90, 50:60] = True
    ink[85:90, 30:80] = True
    assert pack_ink(ink) == "1Dn1m182Fh_b4vtCAscuz8IA"
    assert pack_ink(np.zeros_like(ink)) == "1"


@settings(max_examples=40, deadline=None)
@given(arrays(np.bool_, (SIDE, SIDE)))
def test_whatever_is_drawn_comes_back(ink):
    np.testing.assert_array_equal(unpack_ink(pack_ink(ink)), ink)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.2, 0.5, 0.8, 0.98]))
def test_noise_comes_back_within_the_longest_text(seed, share):
    ink = np.random.default_rng(seed).random((SIDE, SIDE)) < share
    text = pack_ink(ink)
    assert len(text) <= MOST_CHARACTERS
    np.testing.assert_array_equal(unpack_ink(text), ink)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80) | st.text(string.ascii_letters + "-_", max_size=400).map("1".__add__))
def test_any_text_is_a_drawing_or_is_refused_with_a_sentence(text):
    said, ink = refused(text)
    if ink is None:
        assert said.endswith(".")
    else:
        assert pack_ink(ink) == text


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_text_that_was_changed_is_never_shown_as_the_drawing(data):
    ink = read_ink(png(STROKES["four"]))
    text = pack_ink(ink)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_=%\0é"))
    changed = text[:place] + letter + text[place + 1 :]
    if changed == text:
        np.testing.assert_array_equal(unpack_ink(changed), ink)
        return
    said, other = refused(changed)
    assert said or (other != ink).any()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "another version"),
        ("2AAAA", "another version"),
        ("1AAAA AAAA", "cut off or changed"),
        ("1AAAA====", "cut off or changed"),
        ("1A", "cut off or changed"),
        ("1" + "A" * 50, "cut off or changed"),
        ("1" + "A" * 10**7, "more than"),
        ("１AAAA", "another version"),
    ],
)
def test_a_text_that_is_no_drawing_is_refused(text, sentence):
    with pytest.raises(DrawingError, match=sentence):
        unpack_ink(text)


def test_a_text_that_is_cut_off_is_refused():
    text = pack_ink(read_ink(png(STROKES["four"])))
    for length in (1, 5, len(text) // 2, len(text) - 1):
        said, ink = refused(text[:length])
        assert said or pack_ink(ink) == text[:length]
    with pytest.raises(DrawingError, match="cut off"):
        unpack_ink(text[: len(text) // 2])


def large_png():
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a PNG"),
        (b"GIF89a", "not a PNG"),
        (png(STROKES["one"])[:60], "not a PNG"),
        (png(STROKES["one"], 281), "at most 280"),
        (large_png(), "PNG|at most 280"),
    ],
)
def test_what_is_no_drawing_of_the_page_is_refused(content, sentence):
    with pytest.raises(DrawingError, match=sentence):
        read_ink(content)


def test_ink_of_another_shape_is_refused():
    with pytest.raises(DrawingError, match="112 × 112"):
        pack_ink(np.zeros((28, 28), np.bool_))
