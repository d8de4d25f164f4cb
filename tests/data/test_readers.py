"""Data sets from pictures in folders and from arrays in a file."""

import io
import os
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from explorer import ImageSpec, image_folder, npz_file
from explorer.data.cache import DataError, read_uncached
from explorer.data.dataset import DataSetError


def picture(path, shade, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 0, 255)).save(path)


@pytest.fixture
def leaves(tmp_path):
    for label, first in (("oak", 0), ("ash", 100)):
        for number in range(10):
            picture(tmp_path / "leaves" / label / f"{number}.png", first + number)
    (tmp_path / "leaves" / "notes").mkdir()
    (tmp_path / "leaves" / "ash" / "readme.txt").write_text("no picture")
    return tmp_path / "leaves"


def test_a_folder_of_folders_is_a_data_set_whose_classes_are_the_folders(leaves):
    made = image_folder("leaves", leaves, size=4)
    assert made.classes == ("ash", "oak")
    assert made.images == ImageSpec(3, 4, 2)
    assert made.mean == ()
    arrays = read_uncached(made)
    # Every fifth picture of each class is a test image.
    assert arrays.test_images[:, 0, 0, 0].tolist() == [104, 109, 4, 9]
    assert arrays.test_labels.tolist() == [0, 0, 1, 1]
    assert arrays.train_images.shape == (16, 3, 4, 4)
    assert set(arrays.train_images[:, 0].max((1, 2))) | {104, 109, 4, 9} == {
        *range(10),
        *range(100, 110),
    }
    assert (arrays.train_images[:, 2] == 255).all()


def test_the_share_of_test_images_may_be_chosen(leaves):
    assert len(read_uncached(image_folder("leaves", leaves, size=4, test=0.5)).test_labels) == 10
    with pytest.raises(DataSetError, match="must be a share between 0 and 1, not 2"):
        image_folder("leaves", leaves, size=4, test=2)


def test_folders_named_train_and_test_decide_the_split(tmp_path):
    for part, number in (("train", 3), ("test", 1)):
        for label in ("a", "b"):
            for index in range(number):
                picture(tmp_path / part / label / f"{index}.png", 9 if part == "test" else 200)
    arrays = read_uncached(image_folder("toy", tmp_path, size=4))
    assert (len(arrays.train_labels), len(arrays.test_labels)) == (6, 2)
    assert (arrays.test_images[:, 0] == 9).all()


def test_pictures_may_be_of_any_size_and_become_grey(tmp_path):
    for label in ("a", "b"):
        for index in range(2):
            picture(tmp_path / label / f"{index}.png", 255, size=(8, 4))
    arrays = read_uncached(image_folder("toy", tmp_path, size=4, channels=1, test=0.5))
    assert arrays.train_images.shape == (2, 1, 4, 4)
    assert arrays.train_images[0, 0].any(axis=1).tolist() == [False, True, True, False]


def test_a_damaged_picture_is_named(leaves):
    (leaves / "oak" / "3.png").write_bytes(b"no picture at all")
    with pytest.raises(DataError, match=r"oak.3\.png cannot be used: This is not a picture"):
        read_uncached(image_folder("leaves", leaves, size=4))


def test_the_version_changes_with_the_pictures_and_back(leaves):
    def version():
        return image_folder("leaves", leaves, size=4).version

    before = version()
    assert version() == before
    file = leaves / "oak" / "3.png"
    time = file.stat().st_mtime_ns
    os.utime(file, ns=(time, time + 10**9))
    assert version() != before
    os.utime(file, ns=(time, time))
    assert version() == before
    file.rename(leaves / "oak" / "99.png")
    assert version() != before


def test_the_version_changes_when_a_picture_changes_its_class(tmp_path):
    for name in ("a/1.png", "a/2.png", "b/3.png", "b/4.png"):
        picture(tmp_path / name, 9)
    before = image_folder("toy", tmp_path, size=4).version
    (tmp_path / "b" / "3.png").rename(tmp_path / "a" / "3.png")
    assert image_folder("toy", tmp_path, size=4).version != before


@pytest.mark.parametrize(
    "changes", [{"size": 8}, {"channels": 1}, {"test": 0.5}, {"channels": 1, "centred": True}]
)
def test_the_version_changes_with_how_the_pictures_are_read(leaves, changes):
    before = image_folder("leaves", leaves, size=4)
    assert image_folder("leaves", leaves, **({"size": 4} | changes)).version != before.version


def test_the_version_of_an_npz_file_changes_with_the_file_and_the_number_of_classes(tmp_path):
    images = np.zeros((3, 4, 4), np.uint8)
    made = [npz_file("shapes", shapes(tmp_path, images))]
    made.append(npz_file("shapes", made[0].files[0], classes="abcd"))
    made.append(npz_file("shapes", shapes(tmp_path, np.zeros((3, 8, 8), np.uint8))))
    assert len({each.version for each in made}) == 3
    assert made[0].has_changed
    assert not made[2].has_changed


@pytest.mark.parametrize("folders", [(), ("a",)])
def test_a_folder_without_two_classes_is_refused(tmp_path, folders):
    for folder in folders:
        picture(tmp_path / folder / "1.png", 1)
    with pytest.raises(DataSetError, match="does not hold pictures of two classes or more; put"):
        image_folder("toy", tmp_path, size=4)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(DataSetError, match=r"There is no folder .*nowhere; put the pictures"):
        image_folder("toy", tmp_path / "nowhere", size=4)


def shapes(tmp_path, images, **names):
    labels = np.array([0, 1, 2])
    file = tmp_path / "shapes.npz"
    named = {"train_images": images, "train_labels": labels} | {
        "test_images": images[:1],
        "test_labels": labels[:1],
    }
    np.savez(file, **(names or named))
    return file


@pytest.mark.parametrize(
    ("shape", "spec"),
    [
        ((3, 5, 5), ImageSpec(1, 5, 3)),
        ((3, 1, 5, 5), ImageSpec(1, 5, 3)),
        ((3, 3, 5, 5), ImageSpec(3, 5, 3)),
        ((3, 5, 5, 3), ImageSpec(3, 5, 3)),
    ],
)
def test_an_npz_file_is_a_data_set(tmp_path, shape, spec):
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    made = npz_file("shapes", shapes(tmp_path, images))
    assert made.images == spec
    assert made.classes == ("0", "1", "2")
    arrays = read_uncached(made)
    assert arrays.train_images.shape == (3, spec.channels, 5, 5)
    assert arrays.test_labels.tolist() == [0]


def test_the_arrays_may_have_the_names_of_keras_and_classes_may_have_names(tmp_path):
    images, labels = np.zeros((2, 4, 4), np.uint8), np.array([0, 1])
    file = shapes(tmp_path, images, x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert npz_file("shapes", file, classes=["circle", "square"]).classes == ("circle", "square")


def test_an_npz_file_with_other_arrays_is_refused(tmp_path):
    images = np.zeros((2, 4, 4), np.uint8)
    file = shapes(tmp_path, images, pictures=images)
    wanted = r"^\S+ holds the arrays pictures; name them train_images, train_labels, test_images, "
    with pytest.raises(DataSetError, match=wanted):
        npz_file("shapes", file)


def test_an_npz_file_whose_images_are_not_square_is_refused(tmp_path):
    file = shapes(tmp_path, np.zeros((3, 4, 6), np.uint8))
    with pytest.raises(
        DataSetError, match=re.escape("has the shape (3, 4, 6); make it (N, C, H, W)")
    ):
        npz_file("shapes", file)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("classes", [(), ("circle", "square")])
def test_only_the_header_of_the_images_is_read_to_describe_an_npz_file(tmp_path, classes):
    labels, images = npy(np.array([0, 1])), npy(np.zeros((2, 4, 4), np.uint8))
    with zipfile.ZipFile(tmp_path / "shapes.npz", "w") as archive:
        for part in ("train", "test"):
            archive.writestr(f"{part}_images.npy", images[:-1])  # reading all of it would fail
            archive.writestr(f"{part}_labels.npy", b"not read" if classes else labels)
    made = npz_file("shapes", tmp_path / "shapes.npz", classes=classes)
    assert made.images == ImageSpec(1, 4, 2)
    with pytest.raises(DataError, match=r"cannot be read as an \.npz file .*EOF"):
        read_uncached(made)


@pytest.mark.parametrize("content", [None, b"no zip", npy(np.zeros((2, 4, 4), np.uint8))])
def test_a_file_that_is_not_an_npz_file_is_refused(tmp_path, content):
    if content:
        (tmp_path / "shapes.npz").write_bytes(content)
    with pytest.raises(DataSetError, match=r"cannot be read as an \.npz file .*numpy\.savez"):
        npz_file("shapes", tmp_path / "shapes.npz")
