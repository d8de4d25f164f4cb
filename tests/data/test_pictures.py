import io
import struct
import zlib

import numpy as np
import pytest
import torch
from built_ins import REGISTRY
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from explorer.data.cache import load_arrays
from explorer.data.mnist import MNIST
from explorer.data.pictures import PictureError, open_picture, prepare
from explorer.plugin.registry import discover
from explorer.runs.recorded import open_examples
from explorer.training.checkpoint import load_weights
from explorer.training.events import Moment

DATASETS = REGISTRY.datasets
MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"]
DEEP = ["I", "F", "I;16", "I;16L", "I;16B"]

property_test = settings(deadline=None)


@pytest.fixture(scope="module")
def digits(cache):
    """300 test images of MNIST, `(N, 28, 28)`, and their labels."""
    arrays = load_arrays(MNIST, cache)
    return np.asarray(arrays.test_images[:300, 0]), np.asarray(arrays.test_labels[:300])


@pytest.fixture(scope="module")
def accuracy(digits):
    """The accuracy of the recorded plain network on prepared digits."""
    store = open_examples()
    run = next(run for run in store.runs() if run.spec.architecture == "plain")
    model = discover()["plain"].build(MNIST.images).eval()
    load_weights(model, store.weights(run.id, Moment(10)))
    store.close()

    def share(images):
        pixels = torch.tensor(np.stack(images))[:, None].float().div(255)
        with torch.no_grad():
            answers = model((pixels - MNIST.mean[0]) / MNIST.std[0]).argmax(1)
        return (answers.numpy() == digits[1][: len(images)]).mean()

    return share


def attempt(function, *arguments):
    """Return what the function returns and `None`, or `None` and its sentence."""
    try:
        return function(*arguments), None
    except PictureError as error:
        return None, str(error)


def saved(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def stroke(mode="L", ink=255, paper=0, size=(90, 60)):
    """A slanted bar with a foot, somewhere on a picture."""
    grey = Image.new("L", size, paper)
    for step in range(30):
        grey.paste(ink, (30 + step // 2, 15 + step, 36 + step // 2, 17 + step))
    grey.paste(ink, (36, 41, 60, 46))
    return grey if mode == "L" else grey.convert(mode)


def sheet(image, rng, *, scale=10, resample=Image.Resampling.NEAREST):
    """A digit, enlarged and placed somewhere on a larger sheet, black on white."""
    sheet = Image.new("L", (400, 360))
    large = Image.fromarray(image).resize((28 * scale, 28 * scale), resample)
    sheet.paste(large, tuple(rng.integers(0, 80, 2)))
    return Image.fromarray(255 - np.asarray(sheet))


def distances(images, digits):
    """The mean absolute difference of each image from its digit, in grey levels of 255."""
    return np.abs(np.stack(images).astype(int) - digits[0]).mean((1, 2))


def centre_of_mass(image):
    positions = np.arange(28)
    mass = image.astype(float)
    return [(mass.sum(axis) * positions).sum() / mass.sum() for axis in (1, 0)]


def extent(image):
    return [np.flatnonzero(image.any(axis)) for axis in (1, 0)]


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("mode", MODES)
def test_a_picture_of_any_mode_becomes_an_image_of_any_data_set(mode, name):
    images = DATASETS[name].images
    image = prepare(stroke("RGB").convert(mode), DATASETS[name])
    assert image.shape == (images.channels, images.size, images.size)
    assert image.dtype == np.uint8
    assert image.max() > 200


@pytest.mark.parametrize("mode", DEEP)
@pytest.mark.parametrize("brightest", [1, 255, 4095, 65535])
def test_a_picture_of_many_bits_is_scaled_by_its_own_range(mode, brightest):
    values = np.asarray(stroke()) / 255.0 * brightest
    kind = {"I": "int32", "F": "float32", "I;16B": ">u2"}.get(mode, "<u2")
    picture = Image.frombytes(mode, stroke().size, values.astype(kind).tobytes())
    assert (prepare(picture, MNIST) == prepare(stroke(), MNIST)).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_files_of_sixteen_bits_are_read(kind):
    values = np.asarray(stroke()).astype(np.uint16) * 257
    picture = open_picture(saved(Image.fromarray(values), kind))
    assert (prepare(picture, MNIST) == prepare(stroke(), MNIST)).all()


def test_colours_that_cannot_be_converted_get_a_sentence():
    with pytest.raises(PictureError, match="RGB colours"):
        prepare(Image.new("LAB", (30, 20)), MNIST)


def test_nan_and_infinite_pixels_do_not_matter():
    values = np.asarray(stroke(), np.float32).copy()
    values[0, :3] = np.nan, np.inf, -np.inf
    assert (prepare(Image.fromarray(values), MNIST) == prepare(stroke(), MNIST)).all()


@property_test
@given(
    name=st.sampled_from(sorted(DATASETS)),
    mode=st.sampled_from(["1", "L", "LA", "RGB", "RGBA", "CMYK"]),
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_pixels_give_an_image_or_a_sentence(name, mode, width, height, seed):
    chosen = DATASETS[name]
    content = np.random.default_rng(seed).bytes(width * height * 4)
    picture = Image.frombytes("RGBA", (width, height), content).convert(mode)
    image, sentence = attempt(prepare, picture, chosen)
    if image is None:
        assert chosen.centred
        assert sentence.startswith("There is nothing in this picture")
        return
    size = chosen.images.size
    assert image.shape == (chosen.images.channels, size, size)
    assert image.dtype == np.uint8
    if chosen.centred:
        assert image.max() == 255


@st.composite
def blobs(draw):
    """Ink of any shape within a margin that is larger than it: `(H, W)` of 0 and 255."""
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    seed, density = draw(st.integers(0, 2**32 - 1)), draw(st.floats(0, 1))
    ink = np.random.default_rng(seed).random((height, width)) < density
    ink[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    return np.pad(ink.astype(np.uint8) * 255, max(height, width) // 4 + draw(st.integers(1, 40)))


@property_test
@given(blobs())
def test_ink_fills_a_box_of_twenty_pixels_around_its_centre_of_mass(pixels):
    image = prepare(Image.fromarray(pixels), MNIST)[0]
    rows, columns = extent(image)
    sides = [places[-1] - places[0] + 1 for places in (rows, columns)]
    assert max(sides) <= 20
    assert image.max() == 255
    for centre, places in zip(centre_of_mass(image), (rows, columns), strict=True):
        if places[0] > 0 and places[-1] < 27:  # else it could not be moved as far as it should
            assert centre == pytest.approx(14, abs=0.52)


@property_test
@given(blobs(), st.integers(0, 50), st.integers(0, 50))
def test_neither_the_place_of_the_ink_nor_which_is_black_matters(pixels, down, right):
    image = prepare(Image.fromarray(pixels), MNIST)
    assert (prepare(Image.fromarray(255 - pixels), MNIST) == image).all()
    moved = np.pad(pixels, ((down, 50 - down), (right, 50 - right)))
    assert (prepare(Image.fromarray(moved), MNIST) == image).all()


@property_test
@given(blobs(), st.integers(0, 255), st.integers(0, 255))
def test_ink_is_stretched_to_white_whatever_its_contrast(pixels, ink, paper):
    picture = Image.fromarray(np.where(pixels, ink, paper).astype(np.uint8))
    if abs(ink - paper) < 8:
        with pytest.raises(PictureError, match="nothing in this picture"):
            prepare(picture, MNIST)
    else:
        assert (prepare(picture, MNIST) == prepare(Image.fromarray(pixels), MNIST)).all()


@property_test
@given(blobs(), st.sampled_from([0, 60, 200, 255]), st.sampled_from([0, 255]))
def test_transparent_pixels_are_background_whatever_their_colour(pixels, ink, hidden):
    grey = Image.fromarray(np.where(pixels, ink, hidden).astype(np.uint8))
    picture = Image.merge("LA", [grey, Image.fromarray(pixels)])
    assert (prepare(picture, MNIST) == prepare(Image.fromarray(pixels), MNIST)).all()


def test_transparent_corners_of_a_white_sheet_are_not_ink():
    paper = stroke("RGBA", ink=0, paper=255)
    for corner in [(0, 0), (85, 0), (0, 55), (85, 55)]:
        paper.paste((0, 0, 0, 0), (*corner, corner[0] + 5, corner[1] + 5))
    assert (prepare(paper, MNIST) == prepare(stroke(), MNIST)).all()


def test_a_thin_line_is_not_faint():
    pixels = np.zeros((1000, 1000), np.uint8)
    pixels[100:900, 500] = 255
    image = prepare(Image.fromarray(pixels), MNIST)[0]
    assert image.max() == 255
    assert [len(places) for places in extent(image)] == [20, 1]


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("L", (30, 20), 128),
        Image.new("L", (1, 1)),
        Image.new("RGBA", (30, 20), (255, 0, 0, 0)),
        Image.new("F", (30, 20), 0.5),
        Image.linear_gradient("L"),  # a sheet that is lit from one side
    ],
)
def test_a_picture_without_ink_gets_a_sentence(picture):
    with pytest.raises(PictureError, match="There is nothing in this picture"):
        prepare(picture, MNIST)


def test_digits_of_mnist_are_hardly_changed(digits):
    images = [prepare(Image.fromarray(image), MNIST)[0] for image in digits[0]]
    assert (distances(images, digits) < 1).mean() > 0.97


def test_digits_on_large_white_sheets_become_like_mnist(digits, accuracy):
    rng = np.random.default_rng(0)
    images = [prepare(open_picture(saved(sheet(image, rng))), MNIST)[0] for image in digits[0]]
    assert (distances(images, digits) < 1).mean() > 0.97
    assert accuracy(images) >= 0.98


@pytest.mark.parametrize("scale", [2, 7, 10])
def test_a_network_classifies_digits_that_were_smoothed_and_compressed(digits, accuracy, scale):
    rng, smooth = np.random.default_rng(0), Image.Resampling.BICUBIC
    sheets = (sheet(image, rng, scale=scale, resample=smooth) for image in digits[0])
    images = [prepare(open_picture(saved(each, "JPEG", quality=70)), MNIST)[0] for each in sheets]
    assert accuracy(images) >= 0.97


def test_a_network_classifies_digits_on_photographs_lit_from_one_side(digits, accuracy):
    rng, images = np.random.default_rng(0), []
    for image in digits[0][:60]:
        paper = sheet(image, rng, resample=Image.Resampling.BICUBIC).resize((800, 720))
        light = 170 + np.linspace(-25, 25, 800) + np.linspace(-10, 10, 720)[:, None]
        grey = light * (0.25 + 0.75 / 255 * np.asarray(paper)) + rng.normal(0, 6, light.shape)
        photograph = Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
        images.append(prepare(open_picture(saved(photograph, "JPEG", quality=80)), MNIST)[0])
    assert accuracy(images) >= 0.95


def test_other_grey_pictures_are_fitted_without_change():
    picture = Image.new("L", (56, 28), 200)
    image = prepare(picture, DATASETS["fashion-mnist"])[0]
    assert (image[7:21] == 200).all()
    assert not image[:7].any()
    assert not image[21:].any()


def test_colours_are_fitted_on_black():
    picture = Image.new("RGBA", (100, 200), (250, 120, 10, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 100, 100))
    image = prepare(picture, DATASETS["cifar-10"])
    assert (image[:, 16:, 8:24] == np.array([250, 120, 10])[:, None, None]).all()
    assert not image[:, :16].any()
    assert not image[:, :, :8].any()
    assert not image[:, :, 24:].any()


@pytest.mark.parametrize("size", [(3000, 1), (1, 3000), (1, 2)])
@pytest.mark.parametrize("name", ["kmnist", "cifar-10"])
def test_narrow_pictures_keep_at_least_a_pixel(name, size):
    assert prepare(Image.new("L", size, 255), DATASETS[name]).max() == 255


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "PPM", "JPEG", "JPEG2000", "WEBP"])
def test_usual_files_are_read(kind):
    content = saved(stroke("RGB", ink=0, paper=255), kind, quality=95)
    image = prepare(open_picture(content), MNIST)
    assert np.abs(image.astype(int) - prepare(stroke(), MNIST)).mean() < 1


def test_a_palette_with_a_transparent_colour_is_read():
    picture = stroke().quantize(2)
    content = saved(picture, transparency=picture.getpixel((0, 0)))
    assert (prepare(open_picture(content), MNIST) == prepare(stroke(), MNIST)).all()


def test_a_photograph_on_its_side_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    lying = stroke().transpose(Image.Transpose.ROTATE_90)
    picture = open_picture(saved(lying, "PNG", exif=exif))
    assert picture.size == stroke().size
    assert (np.asarray(picture) == np.asarray(stroke())).all()


def test_of_an_animation_the_first_frame_is_taken():
    content = saved(stroke(), "GIF", save_all=True, append_images=[Image.new("L", (90, 60), 255)])
    assert (prepare(open_picture(content), MNIST) == prepare(stroke(), MNIST)).all()


def refused(content):
    with pytest.raises(PictureError) as caught:
        open_picture(content)
    text = str(caught.value)
    assert text.startswith("This ")
    assert text.endswith(".")
    return text


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"%PDF-1.4", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"II*\0"],
)
def test_a_file_that_is_not_a_picture_gets_a_sentence(content):
    assert "choose a PNG" in refused(content)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_file_gets_a_sentence(kind, share):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = saved(Image.fromarray(pixels), kind)
    refused(content[: int(len(content) * share)])


@property_test
@given(st.binary(max_size=200), st.sampled_from([b"", b"GIF89a", b"BM", b"P6 ", b"\xff\xd8\xff"]))
def test_any_bytes_give_a_picture_or_a_sentence(content, start):
    picture, sentence = attempt(open_picture, start + content)
    assert isinstance(picture, Image.Image) or sentence.endswith(".")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(8000, 5001), (10_000, 10_000), (60_000, 60_000)])
def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(size):
    header = b"IHDR" + struct.pack(">2I5B", *size, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header
    content += struct.pack(">I", zlib.crc32(header))
    content += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    assert "at most 40 megapixels" in refused(content)
    for most, words in ((12_000_000, "at most 12 megapixels"), (None, "too large")):
        if most or size[0] > 10_000:  # without a limit, Pillow's own is left
            with pytest.raises(PictureError, match=words):
                open_picture(content, most)


def test_only_the_data_sets_of_digits_are_centred():
    assert {name for name, each in DATASETS.items() if each.centred} == {"mnist", "qmnist"}


@pytest.mark.parametrize("slope", [(80, 0), (0, 80), (50, 40), (-60, 30)])
def test_paper_that_is_lit_from_one_side_is_not_ink(slope):
    rows, columns = np.mgrid[0:1:240j, 0:1:200j]
    paper = 190 + slope[0] * (rows - 0.5) + slope[1] * (columns - 0.5)
    ink = Image.new("L", (200, 240), 0)
    ImageDraw.Draw(ink).line([(60, 50), (140, 50), (90, 190)], 1, 12, joint="curve")
    left = 1 - 0.6 * np.asarray(ink)
    lights = paper, np.full_like(paper, 190)
    sheets = [Image.fromarray((light * left).astype(np.uint8)) for light in lights]
    seen, wanted = (prepare(sheet, MNIST)[0].astype(int) for sheet in sheets)
    assert np.abs(seen - wanted).mean() < 4
