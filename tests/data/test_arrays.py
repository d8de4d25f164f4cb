"""Images and labels in the forms in which people have them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer import DataSet, ImageSpec, npz_file
from explorer.data.arrays import as_bytes, as_numbers
from explorer.data.cache import DataError, read_uncached
from explorer.data.dataset import DataSetError

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (6, 4, 4), np.uint8)
BYTES[0, 0, 0] = 255
LABELS = np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    "given_images",
    [
        BYTES,
        BYTES.astype(np.int64),
        BYTES.astype(np.int16),
        BYTES.astype(np.uint16) * 257,
        BYTES / 255,
        (BYTES / 255).astype(np.float32),
        BYTES.astype(np.float16),
        BYTES.astype(np.float64),
    ],
    ids=lambda images: f"{images.dtype} to {images.max():g}",
)
def test_images_of_any_type_become_the_same_bytes(given_images):
    train, test = as_bytes(given_images, given_images[3:])
    assert np.array_equal(train, BYTES)
    assert np.array_equal(test, BYTES[3:])


def test_the_test_images_are_scaled_as_the_training_images():
    train, test = as_bytes(BYTES / 255, BYTES / 510)
    assert np.array_equal(train, BYTES)
    assert abs(test - BYTES / 2).max() <= 0.5 + 1e-9


def test_switches_become_black_and_white():
    train, test = as_bytes(BYTES > 127, np.zeros((1, 4, 4), bool))
    assert np.array_equal(train, np.where(BYTES > 127, 255, 0))
    assert not test.any()


@pytest.mark.parametrize(
    ("train", "test", "sentence"),
    [
        (BYTES, BYTES / 255, "training images are uint8 and its test images float64; give both"),
        (BYTES * 1j, BYTES * 1j, "training images are complex128; make them uint8"),
        (BYTES, BYTES.astype(str), "test images are <U3; make them uint8"),
        (
            np.full((2, 2), np.inf),
            BYTES / 1.0,
            "Its images cannot be used: .* values are infinite or not",
        ),
        (BYTES / 1.0, np.full((2, 2), np.nan), "4 of its 4 values are infinite or not numbers"),
    ],
)
def test_images_that_are_no_numbers_of_one_kind_are_refused(train, test, sentence):
    with pytest.raises(DataSetError, match=sentence):
        as_bytes(train, test)


@given(
    st.lists(st.integers(0, 9), min_size=1),
    st.sampled_from([np.int64, np.uint8, np.int16, np.float32, np.float64, np.uint64]),
    st.booleans(),
)
def test_labels_of_any_type_and_in_a_column_are_numbers(labels, dtype, in_a_column):
    given_labels = np.array(labels, dtype)
    found = as_numbers(given_labels[:, None] if in_a_column else given_labels, "test")
    assert found.dtype == np.int64
    assert found.tolist() == labels


@given(st.lists(st.integers(0, 4), min_size=1), st.sampled_from([bool, np.uint8, np.float32]))
def test_one_hot_labels_are_numbers(labels, dtype):
    assert as_numbers(np.eye(5, dtype=dtype)[labels], "test").tolist() == labels


def test_switches_are_the_classes_0_and_1():
    assert as_numbers(np.array([True, False]), "test").tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.array(["cat", "dog"]), "test labels are texts; number the classes from 0, and name"),
        (np.array([None, 1]), "test labels are object; number"),
        (np.array([0.5, 1]), "test labels are not whole numbers"),
        (np.array([np.nan, 1]), "test labels are not whole numbers"),
        (np.array([np.inf, 1]), "test labels are not whole numbers"),
        (np.array([1e300, 1]), "test labels are not whole numbers"),
        (np.ones((2, 3)), "test labels have 3 columns, but not one 1 and else 0 in each row"),
        (np.zeros((2, 3)), "test labels have 3 columns"),
        (np.zeros((2, 1, 1)), r"test labels have the shape \(2, 1, 1\); give one number for each"),
        (np.array(3), r"test labels have the shape \(\)"),
    ],
)
def test_labels_that_are_no_numbers_of_classes_are_refused(labels, sentence):
    with pytest.raises(DataSetError, match=sentence):
        as_numbers(labels, "test")


def saved(folder, **named):
    np.savez(folder / "own.npz", **named)
    return npz_file("own", folder / "own.npz")


@pytest.mark.parametrize(
    "names",
    [
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "y_train", "X_test", "y_test"),
        ("train_data", "train_labels", "test_data", "test_labels"),
        ("train_images", "train_labels", "val_images", "val_labels"),
        ("x_train", "y_train", "x_valid", "y_valid"),
    ],
    ids=lambda names: names[2],
)
def test_an_npz_file_may_name_its_arrays_as_people_do(tmp_path, names):
    made = saved(tmp_path, **dict(zip(names, (BYTES, LABELS, BYTES[:3], LABELS[:3]), strict=True)))
    assert len(read_uncached(made).test_labels) == 3
    assert made.notes == ((f"The test images are {names[2]}.",) if "val" in names[2] else ())


def test_what_is_not_read_of_an_npz_file_is_named(tmp_path):
    arrays = {f"{part}_images": BYTES for part in ("train", "val", "test")}
    labels = {f"{part}_labels": LABELS[:, None] for part in ("train", "val", "test")}
    made = saved(tmp_path, **arrays, **labels)
    assert made.notes == ("Left out of own.npz: val_images, val_labels.",)
    assert made.images == ImageSpec(1, 4, 3)
    assert read_uncached(made).train_labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("labels", "number"),
    [
        (LABELS[:, None].astype(np.uint8), 3),
        (LABELS.astype(np.float32), 3),
        (np.eye(4)[LABELS], 4),
        (LABELS > 0, 2),
    ],
    ids=["column", "float", "one-hot", "switch"],
)
def test_an_npz_file_like_cifar_with_other_labels_is_read(tmp_path, labels, number):
    images = RNG.random((6, 8, 8, 3)).astype(np.float32)
    made = saved(tmp_path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert made.images == ImageSpec(3, 8, number)
    found = read_uncached(made)
    assert found.train_labels.tolist() == [min(label, number - 1) for label in LABELS]
    assert abs(found.train_images.transpose(0, 2, 3, 1) - images * 255).max() <= 0.51


def test_a_class_that_only_test_labels_have_is_a_class(tmp_path):
    arrays = {"x_train": BYTES, "y_train": LABELS % 2, "x_test": BYTES, "y_test": LABELS}
    assert saved(tmp_path, **arrays).images.num_classes == 3


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.array(list("abcabc")), "Its training labels are texts; number the classes from 0"),
        (np.array([0, 1, 2, 0, 1, np.nan]), "Its training labels are not whole numbers"),
    ],
)
def test_labels_of_an_npz_file_that_are_none_are_refused(tmp_path, labels, sentence):
    with pytest.raises(DataSetError, match=f"^{sentence}"):
        saved(tmp_path, x_train=BYTES, y_train=labels, x_test=BYTES, y_test=LABELS)


def test_images_that_differ_in_size_are_named():
    ragged = [np.zeros((4, 4), np.uint8), np.zeros((5, 5), np.uint8)]
    described = DataSet(
        name="toy",
        images=ImageSpec(1, 4, 2),
        classes="ab",
        read=lambda _: (ragged, [0, 1], ragged, [0, 1]),
    )
    with pytest.raises(DataError, match=r"^toy could not be read: It raised ValueError: sett"):
        read_uncached(described)
