"""One black and one white for all images of a set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from explorer.data.tones import Survey, ToneError, Tones, extremes, is_transparent, tones


@pytest.mark.parametrize(
    ("lowest", "highest", "is_float", "black", "white"),
    [
        (0, 200, False, 0, 255),
        (0, 2, False, 0, 255),
        (0, 1, False, 0, 1),
        (0, 0, False, 0, 1),
        (0, 900, False, 0, 1023),
        (10, 4095, False, 0, 4095),
        (0, 5000, False, 0, 5000),
        (0, 65_535, False, 0, 65_535),
        (0, 2**31, False, 0, 2**31),
        (-1000, 3000, False, -1000, 3000),
        (-5, -5, False, -5, -4),
        (0, 1, True, 0, 1),
        (0, 1.05, True, 0, 1),
        (0, 0.2, True, 0, 0.2),
        (0, 16, True, 0, 16),
        (0, 255, True, 0, 255),
        (0, 258.5, True, 0, 255),
        (0, 65_535, True, 0, 65_535),
        (-1, 1, True, -1, 1),
    ],
)
def test_white_is_what_cameras_and_programs_use(lowest, highest, is_float, black, white):
    assert tones(lowest, highest, is_float=is_float) == Tones(black, white)


@given(
    arrays(np.uint8, array_shapes(min_dims=3, max_dims=3)),
    st.sampled_from([(np.uint16, 257), (np.int32, 1), (np.float32, 1 / 255), (np.float64, 1)]),
)
def test_bytes_come_back_from_each_type_that_programs_write(images, kind):
    dtype, factor = kind
    images.flat[0] = 255
    values = (images * np.float64(factor)).astype(dtype)
    found = tones(*extremes(values), is_float=np.dtype(dtype).kind == "f")
    assert np.array_equal(found.to_bytes(values), images)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.booleans())
def test_order_is_kept_and_the_range_is_used(values, is_float):
    given_values = np.array(values if is_float else np.round(values))
    found = tones(*extremes(given_values), is_float=is_float)
    made = found.to_bytes(np.sort(given_values)).astype(int)
    assert (np.diff(made) >= 0).all()
    assert made[-1] > 127 or given_values.max() <= 255


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_counted(wrong):
    with pytest.raises(ToneError, match=r"^1 of its 4 values are infinite or not numbers;"):
        extremes(np.array([[0, wrong], [1, 2]]))


def test_deep_pictures_share_a_scale_and_others_need_none():
    survey = Survey()
    assert not survey.add(Image.new("RGB", (2, 2), "red"))
    assert survey.tones == Tones()
    assert survey.add(Image.fromarray(np.full((2, 2), 300, np.uint16)))
    assert survey.add(Image.fromarray(np.full((2, 2), 60_000, np.uint16)))
    assert survey.tones == Tones(0, 65_535)


@pytest.mark.parametrize(("ink", "ground"), [("black", "white"), ("white", "black")])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_behind_ink_is_its_opposite(ink, ground, mode):
    picture = Image.new("RGBA", (9, 9), (0, 0, 0, 0))
    picture.paste(ink, (2, 2, 5, 5))
    picture = picture.quantize(4) if mode == "P" else picture.convert(mode)
    assert is_transparent(picture)
    survey = Survey()
    assert survey.add(picture)
    assert survey.tones == Tones(ground=ground)


def test_nothing_shows_through_an_opaque_picture():
    assert not is_transparent(Image.new("RGBA", (2, 2), "black"))
    assert not is_transparent(Image.new("L", (2, 2), "black"))
    assert not Survey().add(Image.new("RGBA", (2, 2), "black"))
    assert Survey().add(Image.new("RGBA", (2, 2), (0, 0, 0, 0)))
