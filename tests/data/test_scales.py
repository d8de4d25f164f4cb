import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.data.cache import mean_and_std, read_uncached
from explorer.data.dataset import DataSetError
from explorer.data.mnist import scales
from explorer.data.mnist.scales import LEAST, MNIST_SCALES, MOST, SIZE, at_many_scales, resized

rng = np.random.default_rng(0)
DIGITS = rng.integers(0, 256, (12, 28, 28), dtype=np.uint8)


@pytest.fixture(scope="module")
def arrays():
    return read_uncached(MNIST_SCALES)


def test_the_images_are_those_that_lessons_were_written_about(arrays):
    assert arrays.train_images.shape == (60_000, 1, SIZE, SIZE)
    assert arrays.test_images.shape == (10_000, 1, SIZE, SIZE)
    mean, std = mean_and_std(arrays.train_images)
    assert mean == pytest.approx(MNIST_SCALES.mean, abs=5e-5)
    assert std == pytest.approx(MNIST_SCALES.std, abs=5e-5)


def test_images_that_are_made_otherwise_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(scales, "at_many_scales", lambda digits, seed: digits[:1])
    with pytest.raises(DataSetError, match="please report it"):
        scales.read_scales(tmp_path)


@given(st.integers(LEAST, MOST), st.integers(0, 255))
def test_what_is_even_stays_as_it_is_in_another_size(size, shade):
    found = resized(np.full((2, 28, 28), shade, np.uint8), size)
    assert found.shape == (2, size, size)
    assert (found == shade).all()


@given(st.integers(LEAST, MOST))
def test_a_digit_in_another_size_has_its_ink_where_it_was(size):
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 6:12, 16:22] = 255
    found = resized(image, size)[0] / 255
    assert found.sum() == pytest.approx(36 * (size / 28) ** 2, rel=0.05)
    rows, columns = np.indices(found.shape) * 28 / size + 14 / size - 0.5
    assert (rows * found).sum() / found.sum() == pytest.approx(8.5, abs=0.15)
    assert (columns * found).sum() / found.sum() == pytest.approx(18.5, abs=0.15)


def test_in_its_own_size_nothing_changes():
    assert (resized(DIGITS, 28) == DIGITS).all()


def test_the_seed_decides_everything():
    first = at_many_scales(DIGITS, 1)
    assert (first == at_many_scales(DIGITS, 1)).all()
    assert (first != at_many_scales(DIGITS, 2)).any(axis=(1, 2)).all()


def test_each_image_has_its_whole_digit_and_scraps_of_others():
    digits = np.zeros((40, 28, 28), np.uint8)
    digits[0, 4:24, 4:24] = 255  # the only ink
    images = at_many_scales(digits, 5)
    ink = (images > 127).sum(axis=(1, 2))
    least, most = (20 * LEAST / 28 - 1) ** 2, (20 * MOST / 28 + 1) ** 2
    assert least <= ink[0] <= most, "its own digit, and none of its scraps"
    assert ((ink[1:] == 0) | (ink[1:] <= scales.SCRAPS * scales.SCRAP**2)).all()
    assert ink[1:].any(), "scraps of it are on others"


def test_sizes_and_places_are_spread_over_all_there_are():
    digits = np.full((4000, 28, 28), 255, np.uint8)
    digits[1::2] = 0
    images = at_many_scales(digits, 3)[1::2]  # scraps of full ones alone
    seen = (images > 0).mean(axis=0)
    assert seen.min() > 0
    assert seen[16:24, 16:24].mean() == pytest.approx(seen[16:24, 8:32].mean(), rel=0.1)
