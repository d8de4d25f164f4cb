"""Folders of pictures as people have them."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from explorer import image_folder
from explorer.data import pictures
from explorer.data.cache import DataError, read_uncached
from explorer.data.dataset import DataSetError
from explorer.data.folders import SUFFIXES, find_pictures

RNG = np.random.default_rng(0)
SHADES = (40, 200)  # of the classes a and b


def place(folder, names, shade=100, kind="L"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new(kind, (8, 8), shade).save(folder / name)


def two_classes(folder, suffix=".png", number=5):
    for label, shade in zip("ab", SHADES, strict=True):
        place(folder, [f"{label}/{index}{suffix}" for index in range(number)], shade)
    return folder


def read(folder, **options):
    made = image_folder("own", folder, **{"size": 8, "channels": 1} | options)
    return made, read_uncached(made)


def names_of(labelled, folder):
    return [file.relative_to(folder).as_posix() for file, _ in labelled]


def test_the_suffixes_are_those_that_pillow_knows_of_the_formats():
    Image.init()
    known = Image.registered_extensions().items()
    assert {suffix for suffix, name in known if name in pictures._FORMATS} <= SUFFIXES
    assert all(suffix == suffix.lower() for suffix in SUFFIXES)


@pytest.mark.parametrize("suffix", [".ppm", ".pgm", ".PNG", ".Jpeg", ".tif", ".bmp", ".webp"])
def test_pictures_of_each_kind_are_read(tmp_path, suffix):
    made, arrays = read(two_classes(tmp_path, suffix))
    assert made.notes == ()
    assert [image.mean() for image in arrays.test_images] == pytest.approx(SHADES, abs=2)


def test_what_a_system_put_there_is_passed_over_without_a_word(tmp_path):
    two_classes(tmp_path)
    expected = find_pictures(tmp_path, 5)
    stamp = image_folder("own", tmp_path, size=8).stamp
    for name in ("._0.png", ".DS_Store", "Thumbs.db", "desktop.ini", "Icon\r", ".git/x.png"):
        (tmp_path / "a" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "a" / name).write_bytes(b"no picture")
    for name in ("__MACOSX/a/._0.png", ".DS_Store", "@eaDir/a/0.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"no picture")
    assert find_pictures(tmp_path, 5) == expected
    assert image_folder("own", tmp_path, size=8).stamp == stamp


def test_what_is_left_out_is_named(tmp_path):
    two_classes(tmp_path)
    for empty in ("c", "d/e"):
        (tmp_path / empty).mkdir(parents=True)
    (tmp_path / "a" / "readme.txt").write_text("about a")
    for number in range(4):
        (tmp_path / "b" / f"{number}.heic").write_bytes(b"")
    place(tmp_path, ["cover.png"])
    (tmp_path / "readme.txt").write_text("about all")
    assert image_folder("own", tmp_path, size=8).notes == (
        "Left out, since these folders hold no picture: c, d.",
        "Left out, since these pictures are in no class's folder: cover.png.",
        "Left out, since these files are no pictures: a/readme.txt, b/0.heic, b/1.heic and 2 more.",
    )


def test_pictures_in_folders_of_a_class_s_folder_are_of_that_class(tmp_path):
    place(tmp_path, [f"{label}/{x}/{y}.png" for label in "ab" for x in "pq" for y in range(3)])
    found = find_pictures(tmp_path, 3)
    assert names_of(found.test, tmp_path) == ["a/p/2.png", "a/q/2.png", "b/p/2.png", "b/q/2.png"]
    assert len(found.train) == 8


def test_links_are_followed_once(tmp_path):
    two_classes(tmp_path / "elsewhere")
    (tmp_path / "own").mkdir()
    for label in "ab":
        (tmp_path / "own" / label).symlink_to(tmp_path / "elsewhere" / label)
    (tmp_path / "elsewhere" / "a" / "again").symlink_to(tmp_path / "elsewhere" / "a")
    assert len(find_pictures(tmp_path / "own", 5).train) == 8


@pytest.mark.parametrize("train", ["train", "Train", "training"])
@pytest.mark.parametrize("other", ["test", "TEST", "testing", "val", "valid", "validation"])
def test_train_and_test_or_val_are_the_parts(tmp_path, train, other):
    two_classes(tmp_path / train, number=3)
    two_classes(tmp_path / other, number=1)
    found = find_pictures(tmp_path, 5)
    assert found.classes == ("a", "b")
    assert names_of(found.test, tmp_path) == [f"{other}/a/0.png", f"{other}/b/0.png"]
    assert len(found.train) == 6
    is_val = other.lower().startswith("val")
    assert found.notes == ((f"The test images are those of {other}.",) if is_val else ())


def test_of_three_parts_val_is_left_out(tmp_path):
    for part in ("train", "val", "test"):
        two_classes(tmp_path / part, number=2)
    found = find_pictures(tmp_path, 5)
    assert names_of(found.test, tmp_path)[0] == "test/a/0.png"
    assert found.notes == (
        "The explorer takes training images from train and test images from test; left out: val.",
    )


def test_a_test_folder_without_classes_gives_way_to_val_or_to_a_share(tmp_path):
    two_classes(tmp_path / "train")
    place(tmp_path / "test", ["1.png", "2.png"])
    found = find_pictures(tmp_path, 5)
    assert names_of(found.test, tmp_path) == ["train/a/4.png", "train/b/4.png"]
    assert found.notes == ("One in 5 pictures of train is a test image; left out: test.",)
    two_classes(tmp_path / "val")
    found = find_pictures(tmp_path, 5)
    assert names_of(found.test, tmp_path)[0] == "val/a/0.png"
    assert found.notes[0] == "The test images are those of val."
    assert found.notes[1].endswith("left out: test.")


def test_a_folder_train_may_be_alone_or_be_a_class(tmp_path):
    two_classes(tmp_path / "alone" / "train")
    assert find_pictures(tmp_path / "alone", 5).classes == ("a", "b")
    place(tmp_path / "vehicles", ["train/1.png", "plane/1.png", "test/1.png"])
    assert find_pictures(tmp_path / "vehicles", 5).classes == ("plane", "test", "train")


def test_a_class_that_only_one_part_has_is_a_class(tmp_path):
    place(tmp_path, ["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"])
    (tmp_path / "test" / "b").mkdir()
    (tmp_path / "test" / "d").mkdir()
    found = find_pictures(tmp_path, 5)
    assert found.classes == ("a", "b", "c")
    assert [label for _, label in found.test] == [0, 2]
    assert found.notes == ("Left out, since these folders hold no picture: test/d.",)
    assert read(tmp_path)[1].test_labels.tolist() == [0, 2]


def test_too_few_pictures_to_set_some_aside_are_refused(tmp_path):
    with pytest.raises(DataError, match="too few pictures of each class to set one in 5 aside"):
        read(two_classes(tmp_path, number=4))


def test_all_pictures_that_cannot_be_used_are_named(tmp_path):
    two_classes(tmp_path)
    for name in ("a/0.png", "b/1.png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "b" / "gone.png").symlink_to(tmp_path / "nowhere")
    sentence = (
        r"a.0\.png cannot be used: This is not a picture that can be read; .* file\. Nor can "
        r"b/1\.png, b/gone\.png\."
    )
    with pytest.raises(DataError, match=sentence):
        read(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    two_classes(tmp_path)
    scan = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("b"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataSetError, match=r"b cannot be read \(Permission denied\); let this"):
        find_pictures(tmp_path, 5)


def digits(folder, save, number=10):
    """Save `number` pictures of two classes: a bar that is dim or bright, on black."""
    shades = RNG.integers(30, 250, (2, number))
    for label, row in zip("ab", shades, strict=True):
        (folder / label).mkdir(parents=True)
        for index, shade in enumerate(row):
            pixels = np.zeros((8, 8), np.uint8)
            pixels[2:6, 2:6] = shade
            pixels[0, 0] = 255 if label == "a" and not index else 0
            save(pixels, folder / label / f"{index}")


@pytest.mark.parametrize(
    ("save", "tolerance"),
    [
        (lambda p, f: Image.fromarray(p.astype(np.uint16) * 257).save(f"{f}.png"), 0),
        (lambda p, f: Image.fromarray(p.astype(np.uint16) * 257).save(f"{f}.tiff"), 0),
        (lambda p, f: Image.fromarray(p.astype(np.uint16) * 16).save(f"{f}.tif"), 1),
        (lambda p, f: Image.fromarray(p.astype(np.int32) * 257).save(f"{f}.tif"), 0),
        (lambda p, f: Image.fromarray((p / 255).astype(np.float32)).save(f"{f}.tif"), 0),
        (lambda p, f: Image.fromarray(p.astype(np.float32)).save(f"{f}.tif"), 0),
        (lambda p, f: Image.fromarray(p).convert("RGB").save(f"{f}.bmp"), 0),
        (lambda p, f: Image.fromarray(p).convert("P").save(f"{f}.gif"), 0),
        (lambda p, f: Image.fromarray(p).convert("RGBA").save(f"{f}.png"), 0),
        (lambda p, f: Image.fromarray(p).convert("LA").save(f"{f}.png"), 0),
        (lambda p, f: Image.fromarray(p).convert("CMYK").save(f"{f}.tif"), 2),
    ],
    ids=[
        *("16 bits", "16 bits TIFF", "12 bits", "32 bits", "float 0-1", "float 0-255"),
        *("RGB", "P", "RGBA", "LA", "CMYK"),
    ],
)
def test_pictures_of_every_depth_and_mode_are_as_those_of_eight_bits(tmp_path, save, tolerance):
    global RNG
    RNG = np.random.default_rng(1)
    digits(tmp_path / "plain", lambda p, f: Image.fromarray(p).save(f"{f}.png"))
    RNG = np.random.default_rng(1)
    digits(tmp_path / "other", save)
    plain, other = read(tmp_path / "plain")[1], read(tmp_path / "other")[1]
    for part in ("train_images", "test_images"):
        difference = getattr(plain, part).astype(int) - getattr(other, part)
        assert abs(difference).max() <= tolerance


def test_a_floating_point_picture_with_gaps_is_named(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for index in range(5):
            pixels = np.full((8, 8), np.nan if (label, index) == ("b", 3) else 0.5, np.float32)
            Image.fromarray(pixels).save(tmp_path / label / f"{index}.tif")
    with pytest.raises(DataError, match=r"b.3\.tif cannot be used: 64 of its 64 values are inf"):
        read(tmp_path)


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0), (60, 255)])
@pytest.mark.parametrize("channels", [1, 3])
def test_ink_on_nothing_can_be_seen_and_all_are_on_one_ground(tmp_path, ink, ground, channels):
    for label in "ab":
        for index in range(5):
            # One picture has ink of the other kind, and does not get another ground for it.
            shade = 255 - ink if (label, index) == ("b", 4) else ink
            picture = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
            picture.paste((shade,) * 3 + (255,), (2, 2, 6, 6))
            (tmp_path / label).mkdir(exist_ok=True)
            picture.save(tmp_path / label / f"{index}.png")
    _, arrays = read(tmp_path, channels=channels)
    assert (arrays.train_images[:, :, 0, 0] == ground).all()
    assert (arrays.train_images[:, :, 4, 4] == ink).all()
    assert (arrays.test_images[1, :, 4, 4] == 255 - ink).all()
    assert (arrays.test_images[1, :, 0, 0] == ground).all()


def test_photographs_of_several_sizes_stay_on_black(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for index in range(5):
            size = (40 + 10 * index, 20)
            Image.new("RGB", size, (90, 90, 90)).save(tmp_path / label / f"{index}.jpg")
    _, arrays = read(tmp_path, channels=3)
    assert not arrays.train_images[:, :, 0].any()
    assert (abs(arrays.train_images[:, :, 4, 4].astype(int) - 90) <= 1).all()


@given(st.sets(st.sampled_from(["a/1.png", "a/2.png", "b/1.png", "b/x/1.png", "1.png", "c/n.txt"])))
def test_every_file_is_an_image_or_is_named(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("own")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    found = find_pictures(folder, 5)
    used = set(names_of((*found.train, *found.test), folder))
    said = " ".join(found.notes)
    assert {name for name in names - used if name not in said} == set()
    assert used == {name for name in names if "/" in name and name.endswith("png")}
