import gzip
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from hypothesis import given
from hypothesis.extra.numpy import array_shapes
from hypothesis.extra.numpy import arrays as arrays_of
from PIL import Image

import explorer.data.mnist
from explorer import DataSet, ImageSpec, torchvision_reader
from explorer.data.cache import DataError, is_cached, load_arrays, mean_and_std, read_uncached
from explorer.data.mnist import CHECKSUMS, FOLDER, MNIST
from explorer.plugin.registry import discover

dataset = discover().dataset


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def kept(cache):
    """The names of the data sets that are kept, once for each version."""
    return [path.name.rpartition("-")[0] for path in cache.iterdir()]


def refuse(_):
    raise AssertionError("it was read again")


# The embedded MNIST.


@pytest.mark.parametrize("name", CHECKSUMS)
def test_the_packaged_mnist_files_are_the_canonical_ones(name):
    unpacked = gzip.decompress((FOLDER / f"{name}.gz").read_bytes())
    assert hashlib.md5(unpacked).hexdigest() == CHECKSUMS[name]


def test_the_packaged_mnist_comes_with_its_attribution():
    text = (FOLDER / "LICENSE.md").read_text(encoding="utf-8")
    assert "LeCun" in text
    assert "CC BY-SA 3.0" in text or "Creative Commons" in text


def test_mnist_equals_what_torchvision_reads(cache, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in CHECKSUMS:
        (raw / name).write_bytes(gzip.decompress((FOLDER / f"{name}.gz").read_bytes()))
    arrays = load_arrays(MNIST, cache)
    train = torchvision.datasets.MNIST(tmp_path, train=True)
    test = torchvision.datasets.MNIST(tmp_path, train=False)
    assert np.array_equal(arrays.train_images[:, 0], train.data)
    assert np.array_equal(arrays.train_labels, train.targets)
    assert np.array_equal(arrays.test_images[:, 0], test.data)
    assert np.array_equal(arrays.test_labels, test.targets)


def test_mnist_has_the_canonical_sizes_and_counts(cache):
    arrays = load_arrays(MNIST, cache)
    assert arrays.train_images.shape == (60_000, 1, 28, 28)
    assert arrays.test_images.shape == (10_000, 1, 28, 28)
    assert arrays.train_images.dtype == arrays.test_images.dtype == np.uint8
    assert arrays.train_labels.dtype == arrays.test_labels.dtype == np.int64
    # As counted by the data set's makers.
    assert np.bincount(arrays.train_labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert np.bincount(arrays.test_labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip


def test_the_declared_mean_and_std_of_mnist_are_those_of_the_training_images(cache):
    images = load_arrays(MNIST, cache).train_images / np.float32(255)
    assert images.mean() == pytest.approx(MNIST.mean[0], abs=5e-5)
    assert images.std() == pytest.approx(MNIST.std[0], abs=5e-5)


def test_a_data_set_is_read_once(cache):
    first = load_arrays(MNIST, cache)
    second = load_arrays(replace(MNIST, read=refuse), cache)
    assert np.array_equal(first.test_images, second.test_images)


def test_the_arrays_are_mapped_and_writing_to_them_does_not_reach_the_cache(cache):
    arrays = load_arrays(MNIST, cache)
    assert isinstance(arrays.train_images, np.memmap)
    before = int(arrays.test_labels[0])
    arrays.test_labels[0] = before + 1
    assert load_arrays(MNIST, cache).test_labels[0] == before


def test_mnist_counts_as_cached_from_the_start_and_others_once_they_were_fetched(tmp_path):
    assert is_cached(MNIST, tmp_path)
    assert not is_cached(dataset("kmnist"), tmp_path)
    labels = np.arange(10)
    arrays = [pixels(10, 28, 28), labels] * 2
    load_arrays(replace(dataset("kmnist"), read=lambda _: arrays), tmp_path)
    assert is_cached(dataset("kmnist"), tmp_path)


def damage_by_cutting(packed):
    return packed[: len(packed) // 2]


def damage_by_another_content(packed):
    return gzip.compress(gzip.decompress(packed)[:-1] + b"\x01")


def damage_by_noise(packed):
    return b"not gzip at all" + packed


@pytest.mark.parametrize(
    "damage",
    [damage_by_cutting, damage_by_another_content, damage_by_noise],
    ids=lambda f: f.__name__,
)
def test_a_damaged_packaged_file_is_one_clear_error_and_leaves_nothing(
    tmp_path, monkeypatch, damage
):
    package, cache = tmp_path / "package", tmp_path / "cache"
    shutil.copytree(FOLDER, package)
    file = package / "t10k-labels-idx1-ubyte.gz"
    file.write_bytes(damage(file.read_bytes()))
    monkeypatch.setattr(explorer.data.mnist, "FOLDER", package)
    with pytest.raises(DataError) as error:
        load_arrays(MNIST, cache)
    sentence = str(error.value)
    assert sentence.startswith("MNIST could not be read: ")
    assert str(package) in sentence
    assert str(cache) in sentence
    assert "reinstall the explorer." in sentence
    assert "\n" not in sentence
    assert list(cache.iterdir()) == []


def test_a_failure_does_not_prevent_the_next_try(tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(explorer.data.mnist, "FOLDER", tmp_path / "nowhere")
        with pytest.raises(DataError):
            load_arrays(MNIST, tmp_path / "cache")
    arrays = load_arrays(MNIST, tmp_path / "cache")
    assert len(arrays.train_labels) == 60_000
    assert kept(tmp_path / "cache") == ["mnist"]


def test_the_arrays_of_a_faster_process_are_used(tmp_path, cache):
    ready = load_arrays(MNIST, cache)

    def read_while_another_finishes(folder):
        (home,) = cache.glob("mnist-*")
        shutil.copytree(home, tmp_path / home.name)
        return MNIST.read(folder)

    arrays = load_arrays(replace(MNIST, read=read_while_another_finishes), tmp_path)
    assert np.array_equal(arrays.test_images, ready.test_images)
    assert kept(tmp_path) == ["mnist"]


def test_a_cache_that_cannot_be_made_is_a_data_error_too(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="MNIST") as error:
        load_arrays(MNIST, tmp_path / "file")
    assert str(tmp_path / "file") in str(error.value)


# A data set of anybody.


def toy(read, **changes) -> DataSet:
    facts = {"name": "toy", "images": ImageSpec(1, 4, 2), "classes": ("a", "b"), "read": read}
    return DataSet(**(facts | changes))


def arrays(images=None, labels=(0, 1)):
    images = pixels(2, 4, 4) if images is None else images
    return images, np.array(labels), images, np.array(labels)


@pytest.mark.parametrize(
    ("shape", "spec"),
    [
        ((2, 4, 4), ImageSpec(1, 4, 2)),
        ((2, 1, 4, 4), ImageSpec(1, 4, 2)),
        ((2, 4, 4, 1), ImageSpec(1, 4, 2)),
        ((2, 3, 4, 4), ImageSpec(3, 4, 2)),
        ((2, 4, 4, 3), ImageSpec(3, 4, 2)),
    ],
)
def test_images_may_have_any_usual_shape(shape, spec, tmp_path):
    given = pixels(*shape)
    images = load_arrays(toy(lambda _: arrays(given), images=spec), tmp_path).train_images
    assert images.shape == (2, spec.channels, 4, 4)
    planes = given.transpose(0, 3, 1, 2) if shape[-1] == spec.channels else given
    assert np.array_equal(images, planes.reshape(images.shape))


def raises(_):
    raise RuntimeError("the disk is in the other room")


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda _: None, "must return four arrays: training images, training labels, test images"),
        (lambda _: arrays(np.ones((2, 4, 4))), "training images are float64; make them uint8"),
        (
            lambda _: arrays(pixels(2, 4, 5)),
            r"the shape \(2, 4, 5\), but \(N, 1, 4, 4\) is exp",
        ),
        (lambda _: arrays(labels=[0]), "has 2 training images and labels of the shape"),
        (
            lambda _: arrays(labels=[0, 2]),
            "training labels are not whole numbers from 0 to 1;",
        ),
        (lambda _: arrays(labels=[0.0, 1.0]), "are not whole numbers from 0 to 1"),
        (lambda _: arrays(np.zeros((0, 4, 4), np.uint8), []), "has 0 training images"),
        (raises, "the disk is in the other room"),
        (lambda _: exit(), "toy could not be read"),
    ],
)
def test_a_data_set_that_cannot_be_read_is_one_clear_error_and_leaves_nothing(
    read, sentence, tmp_path
):
    with pytest.raises(DataError, match=sentence) as error:
        load_arrays(toy(read), tmp_path)
    assert str(error.value).startswith("toy could not be read: ")
    assert str(error.value).endswith(f"Nothing was kept in the cache folder {tmp_path}.")
    assert list(tmp_path.iterdir()) == []


def test_another_version_is_read_again_and_the_earlier_one_is_deleted(tmp_path):
    other = toy(lambda _: arrays(), name="toy-too", version="1")
    load_arrays(other, tmp_path)
    first = load_arrays(toy(lambda _: arrays(pixels(2, 4, 4)), version="1"), tmp_path)
    again = load_arrays(toy(refuse, version="1"), tmp_path)
    assert np.array_equal(first.train_images, again.train_images)
    later = load_arrays(toy(lambda _: arrays(pixels(2, 4, 4, seed=1)), version="2"), tmp_path)
    assert not np.array_equal(first.train_images, later.train_images)
    assert len(list(tmp_path.glob("toy-*"))) == 2
    assert np.array_equal(load_arrays(other, tmp_path).train_labels, [0, 1])


@pytest.mark.parametrize(
    "change", [{"images": ImageSpec(1, 8, 2)}, {"url": "https://example.org"}], ids=["size", "url"]
)
def test_another_size_or_url_is_read_again_even_with_the_same_version(change, tmp_path):
    load_arrays(toy(lambda _: arrays(), version="1"), tmp_path)
    size = change.get("images", ImageSpec(1, 4, 2)).size
    other = pixels(2, size, size, seed=1)
    read = load_arrays(toy(lambda _: arrays(other), version="1", **change), tmp_path)
    assert np.array_equal(read.train_images[:, 0], other)
    assert kept(tmp_path) == ["toy"]


def test_changed_files_are_not_kept_as_the_earlier_ones(tmp_path):
    (tmp_path / "a.txt").write_text("before")
    described = toy(lambda _: arrays(), version="1", files=[tmp_path / "a.txt"])
    (tmp_path / "a.txt").write_text("and after")
    sentence = "^The files of toy have changed since its plugin was loaded; reload the plugins and"
    with pytest.raises(DataError, match=sentence):
        load_arrays(described, tmp_path / "cache")
    assert kept(tmp_path / "cache") == []
    # What was kept in time is still the data set of that version.
    load_arrays(toy(lambda _: arrays(), version="1"), tmp_path / "cache")
    assert load_arrays(described, tmp_path / "cache").test_labels.tolist() == [0, 1]


def test_a_data_set_can_be_read_without_the_cache():
    assert read_uncached(toy(lambda _: arrays())).test_labels.tolist() == [0, 1]
    with pytest.raises(DataError, match=r"^toy could not be read: .*next room'\.$"):
        read_uncached(toy(lambda _: Path("/next room").read_bytes()))


@given(arrays_of(np.uint8, array_shapes(min_dims=4, max_dims=4, max_side=5)))
def test_mean_and_std_are_those_of_numpy(images):
    mean, std = mean_and_std(images)
    assert mean == pytest.approx((images / 255).mean((0, 2, 3)))
    assert std == pytest.approx((images / 255).std((0, 2, 3)))


def test_torchvision_may_call_labels_and_splits_otherwise(monkeypatch):
    class Streets:
        def __init__(self, root, split, download):
            assert download
            self.data = pixels(2, 3, 4, 4, seed=split == "test")
            self.labels = np.array([0, 1])

    monkeypatch.setattr(torchvision.datasets, "Streets", Streets, raising=False)
    found = read_uncached(toy(torchvision_reader("Streets"), images=ImageSpec(3, 4, 2)))
    assert np.array_equal(found.test_images, pixels(2, 3, 4, 4, seed=1))


def test_torchvision_s_pictures_of_several_sizes_are_fitted(monkeypatch):
    class Pets:
        def __init__(self, root, train, download):
            self.pairs = [(Image.new("L", (8, 4), 255), 0), (Image.new("L", (3, 3), 255), 1)]

        def __iter__(self):
            return iter(self.pairs)

    monkeypatch.setattr(torchvision.datasets, "Pets", Pets, raising=False)
    with pytest.raises(DataError, match=r"of Pets differ in size; .*images=ImageSpec"):
        read_uncached(toy(torchvision_reader("Pets")))
    fitted = read_uncached(toy(torchvision_reader("Pets", ImageSpec(1, 4, 2)))).train_images
    assert fitted[0, 0].any(axis=1).tolist() == [False, True, True, False]
    assert (fitted[1] == 255).all()


def test_an_unknown_class_of_torchvision_gets_a_sentence():
    with pytest.raises(DataError, match=r"There is no Nonesuch in torchvision\.datasets"):
        read_uncached(toy(torchvision_reader("Nonesuch")))
