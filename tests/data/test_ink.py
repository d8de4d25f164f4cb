"""What is taken for a digit's ink, on paper of every kind."""

import numpy as np
import pytest
import torch
from built_ins import REGISTRY
from digit_pictures import CONDITIONS, pictures
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from explorer.data.cache import load_arrays
from explorer.data.mnist import MNIST
from explorer.data.pictures import PictureError, open_picture, prepare, prepare_and_show
from explorer.data.rules import find_rules
from explorer.plugin.registry import discover
from explorer.runs.recorded import open_examples
from explorer.training.checkpoint import load_weights
from explorer.training.events import Moment

CHOSEN = [0, 1, 3, 4]  # test images that every network classifies correctly: 7, 2, 0 and 4


@pytest.fixture(scope="module")
def digits(cache):
    arrays = load_arrays(MNIST, cache)
    return np.asarray(arrays.test_images[CHOSEN, 0]), np.asarray(arrays.test_labels[CHOSEN])


@pytest.fixture(scope="module")
def predicted():
    """What the recorded residual network predicts for images."""
    store = open_examples()
    run = next(run for run in store.runs() if run.spec.architecture == "residual")
    model = discover()["residual"].build(MNIST.images).eval()
    load_weights(model, store.weights(run.id, Moment(10)))
    store.close()

    def predict(images):
        pixels = torch.tensor(np.stack(images))[:, None].float().div(255)
        with torch.no_grad():
            return model((pixels - MNIST.mean[0]) / MNIST.std[0]).argmax(1).numpy()

    return predict


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_network_classifies_digits_however_they_are_pictured(condition, digits, predicted):
    images = [prepare(picture, MNIST)[0] for _, picture in pictures(condition, digits[0], 3)]
    assert (predicted(images) == digits[1]).sum() >= 3


@pytest.mark.parametrize("condition", ["ruled paper", "drawn by mouse", "sensor noise"])
def test_pictures_of_a_condition_are_always_the_same(condition, digits):
    first, again = (
        [np.asarray(picture) for _, picture in pictures(condition, digits[0][:2], 5)]
        for _ in range(2)
    )
    np.testing.assert_equal(first, again)
    other = [np.asarray(picture) for _, picture in pictures(condition, digits[0][:2], 6)]
    assert not np.array_equal(first[0], other[0])


# --- what is shown


def seven(size=(300, 400), shift=(0, 0), width=26):
    """A seven in black on light grey, with its box in pixels."""
    picture = Image.new("L", size, 225)
    x, y = shift
    points = [(90 + x, 100 + y), (190 + x, 100 + y), (120 + x, 280 + y)]
    ImageDraw.Draw(picture).line(points, 20, width, joint="curve")
    return picture


def ruled(picture, tone=120, apart=40):
    pen = ImageDraw.Draw(picture)
    for y in range(20, picture.height, apart):
        pen.line([(0, y), (picture.width, y)], tone, 2)
    return picture


def near(mask, other):
    """The share of the pixels of either mask that are in both."""
    return (mask & other).sum() / (mask | other).sum()


def test_what_was_taken_as_ink_is_shown_on_the_original():
    clean = seven()
    found = prepare_and_show(clean, MNIST)
    assert found.sure
    assert found.doubt is None
    assert found.original.shape == (400, 300, 3)
    np.testing.assert_array_equal(found.original[..., 0], np.asarray(clean))
    assert found.ink.shape == (400, 300)
    assert near(found.ink, np.asarray(clean) < 200) > 0.95
    left, top, right, bottom = found.box
    rows, columns = (np.flatnonzero(found.ink.any(axis)) for axis in (1, 0))
    assert (top * 400, bottom * 400) == pytest.approx((rows[0], rows[-1] + 1))
    assert (left * 300, right * 300) == pytest.approx((columns[0], columns[-1] + 1))
    np.testing.assert_array_equal(found.image, prepare(clean, MNIST))


def test_a_large_picture_is_shown_small_in_its_proportions():
    found = prepare_and_show(seven().resize((1500, 2000)), MNIST)
    assert found.original.shape == (512, 384, 3)
    assert found.ink.shape == (512, 384)
    small = prepare_and_show(seven(), MNIST)
    assert found.box == pytest.approx(small.box, abs=0.01)


@pytest.mark.parametrize("tone", [60, 150, 190])
def test_rules_are_not_ink_and_a_stroke_that_crosses_them_stays_whole(tone):
    clean = seven()
    found = prepare_and_show(ruled(seven(), tone), MNIST)
    assert found.sure
    assert near(found.ink, np.asarray(clean) < 200) > 0.9
    away = found.image.astype(int) - prepare(clean, MNIST)
    assert np.abs(away).mean() < 4


@pytest.mark.parametrize("slope", [-0.08, 0.0, 0.05])
@pytest.mark.parametrize("upright", [False, True])
def test_lines_from_border_to_border_are_found(slope, upright):
    mask = np.zeros((200, 260), np.bool_)
    for column in range(260):
        row = round(100 + slope * (column - 130))
        mask[row : row + 2, column] = True
    line = mask.copy()
    mask[60:150, 120:130] = True  # a stroke that crosses it
    mask[30:32, 60:200] = True  # and one that does not reach the border
    if upright:
        mask, line = mask.T, line.T
    found = find_rules(mask)
    crossing = np.zeros((200, 260), np.bool_)
    crossing[60:150, 120:130] = True
    expected = line & ~(crossing.T if upright else crossing)
    np.testing.assert_array_equal(found, expected)


def test_thick_bars_are_no_rules():
    mask = np.zeros((100, 100), np.bool_)
    mask[40:50] = True
    assert not find_rules(mask).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 3)])
@pytest.mark.parametrize("full", [False, True])
def test_lines_are_sought_in_a_mask_of_any_size(size, full):
    assert find_rules(np.full(size, full)).shape == size


def test_a_bar_that_is_cut_out_closely_is_ink():
    bar = np.zeros((60, 20, 4), np.uint8)
    bar[2:58, 2:18, 3] = 255
    found = prepare_and_show(Image.fromarray(bar), MNIST)
    assert found.sure
    np.testing.assert_array_equal(found.ink, bar[..., 3] > 0)
    assert (found.original[0] == 255).all()


# --- doubts


def test_two_digits_are_doubted_and_a_crop_chooses_one():
    both = Image.new("L", (620, 400), 225)
    both.paste(seven(), (0, 0))
    both.paste(seven().transpose(Image.Transpose.FLIP_TOP_BOTTOM), (310, 0))
    found = prepare_and_show(both, MNIST)
    assert not found.sure
    assert found.doubt.startswith("There is more in this picture than one digit")
    left, right = (
        prepare_and_show(both, MNIST, (start, 0.1, start + 0.45, 0.9)) for start in (0.03, 0.53)
    )
    assert left.sure
    assert right.sure
    assert np.abs(left.image.astype(int) - prepare(seven(), MNIST)).mean() < 3
    assert right.box[0] > 0.53
    assert not right.ink[:, :310].any()


def test_a_digit_at_the_edge_is_doubted():
    found = prepare_and_show(seven(shift=(-100, 0)), MNIST)
    assert found.doubt == "The digit touches the edge of the picture; leave some paper around it."


def test_a_patch_is_doubted():
    picture = Image.new("L", (300, 300), 225)
    picture.paste(20, (120, 120, 180, 180))
    assert "is a patch" in prepare_and_show(picture, MNIST).doubt


def test_a_tiny_digit_is_doubted():
    picture = Image.new("L", (300, 300), 225)
    picture.paste(seven((300, 400)).crop((70, 80, 210, 300)).resize((6, 9)), (100, 100))
    assert "pixels large" in prepare_and_show(picture, MNIST).doubt


# --- the crop


def test_rules_are_not_ink_within_a_crop_either():
    found = prepare_and_show(ruled(seven()), MNIST, (0.2, 0.15, 0.8, 0.8))
    assert near(found.ink, np.asarray(seven()) < 200) > 0.9


def test_a_crop_cuts_off_what_the_ink_is_joined_to():
    picture = seven()
    ImageDraw.Draw(picture).line([(120, 280), (150, 380), (260, 340)], 20, 26)
    cropped = prepare_and_show(picture, MNIST, (0.2, 0.2, 0.8, 0.71))
    assert cropped.box[3] <= 0.72
    assert np.abs(cropped.image.astype(int) - prepare(seven(), MNIST)).mean() < 12


def test_a_frame_as_narrow_as_a_stroke_has_its_paper_beside_it():
    sheet = np.full((300, 500), 235, np.uint8)
    sheet[60:240, 80:100] = sheet[60:240, 380:400] = 20
    for left, right in ((0.16, 0.2), (0.162, 0.18), (0.17, 0.175)):
        found = prepare_and_show(Image.fromarray(sheet), MNIST, (left, 0.2, right, 0.8))
        assert found.box[0] >= 0.15
        assert found.box[2] <= 0.21
        assert np.flatnonzero(found.image[0].any(axis=1)).size == 20


def test_a_frame_of_bare_paper_is_refused_with_what_to_do():
    sheet = np.full((300, 500), 235, np.uint8)
    sheet[60:240, 80:100] = 20
    with pytest.raises(PictureError, match="nothing in this frame"):
        prepare_and_show(Image.fromarray(sheet), MNIST, (0.5, 0.2, 0.6, 0.8))


@pytest.mark.parametrize(
    "crop", [(0.5, 0, 0.5, 1), (0, 0.9, 1, 0.1), (1, 0, 2, 1), (float("nan"), 0, 1, 1)]
)
@pytest.mark.parametrize("name", ["mnist", "cifar-10"])
def test_a_crop_without_area_is_refused(crop, name):
    with pytest.raises(PictureError, match="This frame has no area"):
        prepare_and_show(seven(), REGISTRY.datasets[name], crop)


def test_of_other_data_sets_what_was_fitted_is_shown():
    picture = Image.new("RGBA", (100, 200), (250, 120, 10, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 100, 100))
    found = prepare_and_show(picture, REGISTRY.datasets["cifar-10"])
    assert found.sure
    assert found.box == (0, 0, 1, 1)
    assert found.ink[100:].all()
    assert not found.ink[:100].any()
    cropped = prepare_and_show(picture, REGISTRY.datasets["cifar-10"], (0, 0.5, 1, 1))
    assert cropped.box == (0, 0.5, 1, 1)
    assert cropped.image.shape == (3, 32, 32)
    assert (cropped.image == np.array([250, 120, 10])[:, None, None]).all()


def attempt(*arguments):
    """Return what was done and `None`, or `None` and the sentence that says why not."""
    try:
        return prepare_and_show(*arguments), None
    except PictureError as error:
        return None, str(error)


@given(
    name=st.sampled_from(["mnist", "cifar-10"]),
    mode=st.sampled_from(["1", "L", "LA", "RGB", "RGBA", "I;16", "F"]),
    width=st.integers(1, 80),
    height=st.integers(1, 80),
    kind=st.sampled_from(["noise", "even", "stripes", "halves"]),
    crop=st.none() | st.tuples(*[st.floats(-0.2, 1.2)] * 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_picture_and_crop_give_an_image_and_what_was_done_or_a_sentence(
    name, mode, width, height, kind, crop, seed
):
    chance = np.random.default_rng(seed)
    grey = chance.integers(0, 256, (height, width), np.uint8)
    if kind == "even":
        grey[:] = grey[0, 0]
    elif kind == "stripes":
        grey[:] = grey[:, :1]
    elif kind == "halves":
        grey[:, : width // 2] = grey[0, 0]
    picture = Image.fromarray(grey)
    picture = picture.convert("I").convert(mode) if mode == "I;16" else picture.convert(mode)
    dataset = REGISTRY.datasets[name]
    found, sentence = attempt(picture, dataset, crop)
    if found is None:
        assert sentence.endswith(".")
        return
    again = prepare_and_show(picture, dataset, crop)
    np.testing.assert_array_equal(found.image, again.image)
    images = dataset.images
    assert found.image.shape == (images.channels, images.size, images.size)
    assert found.image.dtype == found.original.dtype == np.uint8
    assert found.original.shape == (height, width, 3)
    assert found.ink.shape == (height, width)
    assert found.ink.any() or not dataset.centred
    left, top, right, bottom = found.box
    assert 0 <= left < right <= 1 + 1e-9
    assert 0 <= top < bottom <= 1 + 1e-9
    assert found.sure == (found.doubt is None)


def test_a_photograph_is_turned_before_it_is_shown(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    seven().transpose(Image.Transpose.ROTATE_90).save(tmp_path / "lying.png", exif=exif)
    found = prepare_and_show(open_picture((tmp_path / "lying.png").read_bytes()), MNIST)
    assert found.original.shape == (400, 300, 3)
