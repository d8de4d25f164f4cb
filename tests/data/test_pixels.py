"""Images of a network's size come back from an address as they were, and nothing else does."""

import base64
import contextlib
import re
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explorer.data.pixels import MOST_CHARACTERS, PixelsError, pack_pixels, unpack_pixels
from explorer.spec import ImageSpec

GREY, COLOUR = ImageSpec(1, 28, 10), ImageSpec(3, 32, 10)
SHAPES = {spec: (spec.channels, spec.size, spec.size) for spec in (GREY, COLOUR)}


@given(st.sampled_from([GREY, COLOUR]).flatmap(lambda spec: arrays(np.uint8, SHAPES[spec])))
def test_every_image_comes_back_as_it_was(pixels):
    text = pack_pixels(pixels)
    spec = next(spec for spec, shape in SHAPES.items() if shape == pixels.shape)
    assert re.fullmatch("[A-Za-z0-9_-]+", text)
    assert (unpack_pixels(text, spec) == pixels).all()


def test_noise_of_the_usual_sizes_fits_and_what_is_larger_is_not_packed():
    noise = np.random.default_rng(0)
    assert len(pack_pixels(noise.integers(0, 256, SHAPES[COLOUR], np.uint8))) <= MOST_CHARACTERS
    assert pack_pixels(noise.integers(0, 256, (3, 64, 64), np.uint8)) is None


BLACK = pack_pixels(np.zeros(SHAPES[GREY], np.uint8))


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "2" + BLACK[1:], BLACK[:-3], BLACK + "AAAA", BLACK.replace(BLACK[5], "*")),
        *("1" + "A" * 10_000, "1\0", "1é", pack_pixels(np.zeros(SHAPES[COLOUR], np.uint8))),
        "1" + base64.urlsafe_b64encode(zlib.compress(bytes(10**6), 9)).decode(),
    ],
    ids=range(11),
)
def test_a_text_that_is_damaged_or_of_another_size_is_refused(text):
    with pytest.raises(PixelsError, match="copy the whole link again"):
        unpack_pixels(text, GREY)


@given(st.text(max_size=60) | st.text("ABCxyz019-_", max_size=60).map(lambda text: f"1{text}"))
def test_any_text_is_an_image_or_refused(text):
    with contextlib.suppress(PixelsError):
        assert unpack_pixels(text, GREY).shape == SHAPES[GREY]
