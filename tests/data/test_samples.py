import io

import numpy as np
import pytest
from PIL import Image

from explorer.data.cache import load_arrays
from explorer.data.dataset import DataSet
from explorer.data.samples import MOST, samples, training_images
from explorer.spec import ImageSpec


def shades(channels: int, classes: int, given: range, size: int = 4) -> DataSet:
    """Images as dark as the number of their class; some classes may have none in training."""
    labels = np.array([*given, *given])
    images = np.broadcast_to(
        labels.astype(np.uint8)[:, None, None, None], (len(labels), channels, size, size)
    ).copy()
    images[len(given) :] += 100  # which come second

    def read(_):
        return images, labels, images, labels

    return DataSet(
        name="shades",
        images=ImageSpec(channels, size, classes),
        classes=tuple(f"<{n}>" for n in range(classes)),
        read=read,
        version="1",
    )


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_first_image_of_each_class_is_there(tmp_path, channels):
    dataset = shades(channels, 3, range(3))
    assert samples(dataset, tmp_path) is None
    load_arrays(dataset, tmp_path)
    found = samples(dataset, tmp_path)
    assert (found.classes, found.more) == (("<0>", "<1>", "<2>"), 0)
    shown = pixels(found.png)
    assert shown.shape == ((12, 4, 3) if channels == 3 else (12, 4))
    assert shown[::4, 0].reshape(3, -1)[:, 0].tolist() == [0, 1, 2]


def test_of_many_classes_the_first_are_shown_and_the_others_counted(tmp_path):
    dataset = shades(1, 50, range(50))
    load_arrays(dataset, tmp_path)
    found = samples(dataset, tmp_path)
    assert (len(found.classes), found.more) == (MOST, 50 - MOST)


def test_a_class_without_an_image_is_left_out(tmp_path):
    dataset = shades(1, 4, range(1, 3))
    load_arrays(dataset, tmp_path)
    found = samples(dataset, tmp_path)
    assert (found.classes, found.more) == (("<1>", "<2>"), 2)


def test_what_is_damaged_is_not_shown(tmp_path):
    dataset = shades(1, 3, range(3))
    load_arrays(dataset, tmp_path)
    (manifest,) = tmp_path.glob("*/manifest.json")
    manifest.write_text("{")
    assert samples(dataset, tmp_path) is None


def test_training_images_have_their_classes_in_the_order_that_is_asked_for(tmp_path):
    dataset = shades(1, 3, range(3))
    assert training_images(dataset, tmp_path, [0]) is None
    load_arrays(dataset, tmp_path)
    found = training_images(dataset, tmp_path, [2, 0, 2])
    assert (found.classes, found.more) == (("<2>", "<0>", "<2>"), 0)
    assert [int(value) for value in pixels(found.png)[::4, 0]] == [2, 0, 2]
    assert training_images(dataset, tmp_path, []) is None
    assert training_images(dataset, tmp_path, [6]) is None  # of another state of the images
