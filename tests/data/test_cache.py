import concurrent.futures
import contextlib
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from hypothesis import given
from hypothesis import strategies as st
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
        (lambda _: arrays(np.full((2, 4, 4), "x")), "training images are <U1; make them uint8"),
        (lambda _: arrays(np.full((2, 4, 4), np.nan)), "32 of its 32 values are infinite or not"),
        (
            lambda _: arrays(pixels(2, 4, 5)),
            r"the shape \(2, 4, 5\), but \(N, 1, 4, 4\) is exp",
        ),
        (lambda _: arrays(labels=[0]), "has 2 training images and labels of the shape"),
        (
            lambda _: arrays(labels=[0, 2]),
            "training labels are numbers from 0 to 2, but its 2 classes have the numbers 0 to 1",
        ),
        (lambda _: arrays(labels=[0.0, 0.5]), "labels are not whole numbers; number the classes"),
        (lambda _: arrays(labels=["a", "b"]), "labels are texts; number the classes from 0, and"),
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


# What is damaged in the cache folder.


def delete(home):
    (home / "test_images.npy").unlink()


def cut(home):
    file = home / "train_images.npy"
    content = file.read_bytes()
    file.unlink()  # who has mapped it keeps it
    file.write_bytes(content[: len(content) // 2])


def flip_a_pixel(home):
    change(home / "train_images.npy", -1)


def flip_the_header(home):
    change(home / "test_labels.npy", 3)


def change(file, place):
    content = bytearray(file.read_bytes())
    content[place] ^= 0x10
    file.unlink()
    file.write_bytes(content)


def empty(home):
    for file in home.iterdir():
        file.unlink()


def without_manifest(home):
    (home / "manifest.json").unlink()


def manifest_of_another_version(home):
    manifest = json.loads((home / "manifest.json").read_text())
    (home / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))


def manifest_of_nonsense(home):
    (home / "manifest.json").write_text('[{"format": "1"')


def a_file_in_its_place(home):
    shutil.rmtree(home)
    home.write_text("in the way")


def an_array_of_another_type(home):
    (home / "test_labels.npy").unlink()
    np.save(home / "test_labels.npy", np.array(["a", "b"]))


@pytest.mark.parametrize(
    "damage",
    [
        delete,
        cut,
        flip_a_pixel,
        flip_the_header,
        empty,
        without_manifest,
        manifest_of_another_version,
        manifest_of_nonsense,
        a_file_in_its_place,
        an_array_of_another_type,
    ],
    ids=lambda f: f.__name__,
)
def test_what_is_damaged_is_made_again_and_who_has_it_keeps_it(tmp_path, damage, caplog):
    reads = []

    def read(_):
        reads.append(1)
        return arrays(pixels(2, 4, 4))

    before = load_arrays(toy(read), tmp_path)
    [home] = tmp_path.iterdir()
    damage(home)
    again = load_arrays(toy(read), tmp_path)
    for each in (before, again):
        assert np.array_equal(each.train_images[:, 0], pixels(2, 4, 4))
        assert each.test_labels.tolist() == [0, 1]
    assert len(reads) == 2
    assert f"{home} is damaged, or of another version; it is made again" in caplog.text
    load_arrays(toy(refuse), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [f"{home.name}.2"]
    damage(tmp_path / f"{home.name}.2")
    load_arrays(toy(read), tmp_path)
    load_arrays(toy(refuse), tmp_path)
    assert len(reads) == 3


def test_a_damaged_download_does_not_count_as_cached(tmp_path):
    known = toy(lambda _: arrays(), url="https://example.org")
    load_arrays(known, tmp_path)
    assert is_cached(known, tmp_path)
    [home] = tmp_path.iterdir()
    cut(home)
    assert not is_cached(known, tmp_path)


def test_what_cannot_be_read_again_after_it_was_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("explorer.data.cache._load", lambda home: None)
    with pytest.raises(DataError, match=r"^toy was written to the cache folder .*; name another"):
        load_arrays(toy(lambda _: arrays()), tmp_path)


REPAIR = """
import sys
from pathlib import Path
from explorer.data.cache import load_arrays
from explorer.data.mnist import MNIST
sys.stdin.readline()
found = load_arrays(MNIST, Path(sys.argv[1]))
print(int(found.train_images.sum()), int(found.test_labels.sum()))
"""


def test_processes_that_repair_at_once_all_get_the_same(tmp_path, cache):
    sound = load_arrays(MNIST, cache)
    [home] = cache.glob("mnist-*")
    shutil.copytree(home, tmp_path / home.name)
    flip_a_pixel(tmp_path / home.name)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", REPAIR, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate() for process in processes]
    right = f"{int(sound.train_images.sum())} {int(sound.test_labels.sum())}\n"
    assert [out for out, _ in said] == [right] * 2, said
    assert [process.returncode for process in processes] == [0] * 2
    assert len(kept(tmp_path)) == 1


def test_threads_that_repair_and_damage_at_once_never_see_what_is_damaged(tmp_path):
    described = toy(lambda _: arrays(pixels(2, 4, 4)))
    right, done = [], threading.Event()

    def load():
        while not done.is_set():
            try:
                found = load_arrays(described, tmp_path).train_images[:, 0]
            except DataError as error:  # it was damaged again each time
                right.append("read again as it was written" in str(error))
            else:
                right.append(np.array_equal(found, pixels(2, 4, 4)))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        loads = [pool.submit(load) for _ in range(3)]
        while len(right) < 100 and not any(each.done() for each in loads):
            for home in tmp_path.glob("toy-*"):
                with contextlib.suppress(OSError):
                    (home / "test_images.npy").unlink()
        done.set()
        assert [each.result() for each in loads] == [None] * 3
    assert right
    assert all(right)


@pytest.fixture
def read_only():
    """A folder that this process may not write to; the superuser may write anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextlib.contextmanager
def as_reader(folder):
    is_root = os.geteuid() == 0
    folder.chmod(0o555)
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_sound_cache_that_may_only_be_read_is_enough_and_a_damaged_one_says_so(read_only):
    described = toy(lambda _: arrays(pixels(2, 4, 4)))
    load_arrays(described, read_only)
    [home] = read_only.iterdir()
    with as_reader(read_only):
        found = load_arrays(toy(refuse), read_only)
        assert np.array_equal(found.train_images[:, 0], pixels(2, 4, 4))
    flip_a_pixel(home)
    sentence = (
        r"^toy could not be written to the cache folder .*Permission denied.*make it writable"
    )
    with as_reader(read_only), pytest.raises(DataError, match=sentence):
        load_arrays(described, read_only)
    assert [path.name for path in read_only.iterdir()] == [home.name]


@given(arrays_of(np.uint8, array_shapes(min_dims=4, max_dims=4, max_side=5)))
def test_mean_and_std_are_those_of_numpy(images):
    mean, std = mean_and_std(images)
    assert mean == pytest.approx((images / 255).mean((0, 2, 3)))
    assert std == pytest.approx((images / 255).std((0, 2, 3)))


@given(st.integers(0, 255), st.integers(1, 50))
def test_the_deviation_of_what_is_the_same_everywhere_is_zero(shade, number):
    assert mean_and_std(np.full((number, 2, 3, 3), shade, np.uint8))[1] == (0, 0)


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
