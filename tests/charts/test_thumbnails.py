import base64
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose
from PIL import Image

from explorer.charts.thumbnails import IMAGE, LARGEST, map_png, strongest, thumbnails

VALUES = st.floats(-1e6, 1e6, width=32)
MAPS = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=90), elements=VALUES
)


def read(address: str) -> np.ndarray:
    kind, _, content = address.partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        return np.asarray(picture.convert("RGB"))


@given(MAPS)
def test_every_map_is_a_small_picture_of_its_proportions(values):
    picture = read(map_png(values))
    height, width = values.shape
    step = -(-max(height, width) // LARGEST)
    assert picture.shape == (-(-height // step), -(-width // step), 3)
    assert max(picture.shape) <= LARGEST


def test_zero_is_white_where_nothing_is_below_it_and_grey_where_something_is():
    assert read(map_png(np.array([[0.0, 2.0]], np.float32))).tolist() == [
        [[255] * 3, [8, 119, 189]]
    ]
    low, zero, high = read(map_png(np.array([[-2.0, 0.0, 2.0]], np.float32)))[0]
    assert (low.tolist(), high.tolist()) == ([245, 147, 34], [8, 119, 189])
    assert_allclose(zero, [232, 234, 235], atol=4)


def test_the_channel_with_the_most_contrast_is_shown_and_not_the_largest_constant():
    maps = np.zeros((3, 2, 2), np.float32)
    maps[0] = 100
    maps[2, 0, 0] = 1
    assert np.array_equal(strongest(maps), maps[2])
    maps[1, 0, 0] = np.inf
    assert np.isfinite(strongest(maps)).all()


def test_what_has_no_pixels_has_no_picture_and_the_image_has_one_in_grey_or_in_colour():
    maps = {"conv": np.ones((2, 3, 3), np.float32), "linear": np.ones(10, np.float32)}
    maps["pooled"] = np.ones((4, 1, 1), np.float32)
    image = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    assert set(thumbnails(image, maps)) == {IMAGE, "conv"}
    assert np.array_equal(read(thumbnails(image, {})[IMAGE]), image.transpose(1, 2, 0))
    grey = read(thumbnails(image[:1], {})[IMAGE])
    assert np.array_equal(grey[..., 0], image[0])
    assert read(thumbnails(np.concatenate([image, image]), {})[IMAGE]).shape == (4, 4, 3)
