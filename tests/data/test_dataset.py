import os
from pathlib import Path

import pytest
import torchvision.datasets
from built_ins import REGISTRY

from explorer import language
from explorer.data.dataset import DataSet, DataSetError, stamp_files
from explorer.language import sentences
from explorer.spec import ImageSpec

DATASETS, dataset = REGISTRY.datasets, REGISTRY.dataset


def test_there_are_six_data_sets_with_their_image_sizes():
    grey, colour = ImageSpec(1, 28, 10), ImageSpec(3, 32, 10)
    assert {name: known.images for name, known in DATASETS.items()} == {
        "mnist": grey,
        "mnist-scales": ImageSpec(1, 40, 10),
        "fashion-mnist": grey,
        "kmnist": grey,
        "qmnist": grey,
        "cifar-10": colour,
    }


def test_only_mnist_and_what_is_made_of_it_need_no_download():
    here = [known.name for known in DATASETS.values() if not known.needs_download]
    assert here == ["mnist", "mnist-scales"]


def test_the_built_in_data_sets_never_change_so_their_runs_need_no_version():
    assert {known.version for known in DATASETS.values() if known.name != "mnist-scales"} == {""}
    assert dataset("mnist-scales").version == "1"


@pytest.mark.parametrize("known", DATASETS.values(), ids=DATASETS)
def test_the_description_of_a_data_set_is_complete(known):
    assert dataset(known.name) is known
    assert len(known.mean) == len(known.std) == known.images.channels
    assert all(0 < mean < 1 for mean in known.mean)
    assert all(0 < std < 1 for std in known.std)
    assert len(set(known.classes)) == known.images.num_classes
    assert known.title
    assert known.citation
    assert known.location.name == "datasets.py"


def test_the_urls_are_those_that_torchvision_downloads_from():
    vision = torchvision.datasets
    assert dataset("fashion-mnist").url in vision.FashionMNIST.mirrors
    assert dataset("kmnist").url in vision.KMNIST.mirrors
    assert dataset("cifar-10").url == vision.CIFAR10.url
    addresses = [url for part in ("train", "test") for url, _ in vision.QMNIST.resources[part]]
    assert all(address.startswith(dataset("qmnist").url) for address in addresses)


def test_the_classes_of_cifar_are_in_the_order_of_their_numbers():
    assert dataset("cifar-10").classes[0] == "airplane"
    assert dataset("cifar-10").classes[9] == "truck"


def toy(**changes) -> DataSet:
    facts = {"name": "toy", "images": ImageSpec(1, 4, 2), "classes": ("a", "b"), "read": print}
    return DataSet(**(facts | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "My Own"}, "'My Own' cannot be a data set's name; use small letters, digits"),
        ({"name": "../toy"}, "'../toy' cannot be a data set's name"),
        ({"name": 3}, "3 cannot be a data set's name"),
        ({"std": [float("nan")]}, "mean and std of toy must be finite numbers, and std not below"),
        ({"mean": [float("inf")]}, "mean and std of toy must be finite numbers"),
        ({"std": [-1]}, "mean and std of toy must be finite numbers, and std not below 0"),
        (
            {"images": (1, 4, 2)},
            r"images of toy must be an ImageSpec\(channels, size, num_classes\)",
        ),
        (
            {"classes": ("a",)},
            "toy has 2 classes and 1 different names for them; give each class one name",
        ),
        ({"classes": ("a", "a")}, "toy has 2 classes and 1 different names"),
        ({"mean": (0.1, 0.2)}, "mean of toy has 2 values for 1 channels; give one value a channel"),
        ({"std": (0.1, 0.2)}, "std of toy has 2 values for 1 channels"),
        ({"centred": True, "images": ImageSpec(3, 4, 2)}, "toy is centred, which only grey images"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(changes, sentence):
    with pytest.raises(DataSetError, match=sentence):
        toy(**changes)


def test_a_title_is_the_name_unless_another_is_given():
    assert toy().title == "toy"
    assert toy(title="Mine").title == "Mine"
    assert toy(classes=[0, 1]).classes == ("0", "1")


# Versions.


@pytest.fixture
def folder(tmp_path):
    for name in ("a/1.png", "a/2.png", "b/3.png", "b/4.png"):
        file = tmp_path / "folder" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
        os.utime(file, ns=(10**18, 10**18))
    return tmp_path / "folder"


def touch(folder):
    os.utime(folder / "a" / "1.png", ns=(10**18, 10**18 + 1))


def grow(folder):
    (folder / "a" / "1.png").write_text("another size")
    os.utime(folder / "a" / "1.png", ns=(10**18, 10**18))


def rename(folder):
    (folder / "a" / "1.png").rename(folder / "a" / "0.png")


def move(folder):
    (folder / "b" / "3.png").rename(folder / "a" / "3.png")


def add(folder):
    (folder / "b" / "5.png").write_text("new")


def remove(folder):
    (folder / "b" / "4.png").unlink()


def remove_all(folder):
    folder.rename(folder.with_name("elsewhere"))


@pytest.mark.parametrize(
    "change", [touch, grow, rename, move, add, remove, remove_all], ids=lambda f: f.__name__
)
def test_a_data_set_notices_that_its_files_have_changed(folder, change):
    described = toy(files=[folder])
    assert not described.has_changed
    change(folder)
    assert described.has_changed
    assert toy(files=[folder]).stamp != described.stamp


def test_hidden_files_and_other_places_do_not_count(folder):
    before = stamp_files([folder])
    (folder / ".DS_Store").write_text("left by the system")
    (folder / ".git").mkdir()
    (folder / ".git" / "head").write_text("hidden")
    assert stamp_files([folder]) == before
    (folder.parent / "moved").mkdir()
    folder.rename(folder.parent / "moved" / "folder")
    assert stamp_files([folder.parent / "moved" / "folder"]) == before


def test_a_folder_that_links_to_itself_is_walked_once(folder):
    (folder / "a" / "round").symlink_to(folder, target_is_directory=True)
    (folder / "b" / "round").symlink_to(folder, target_is_directory=True)
    assert len(stamp_files([folder])) == 16


def test_files_may_be_a_single_path_and_begin_with_a_tilde(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    assert toy(files="~/a").files == toy(files=Path("~/a")).files == (folder / "a",)
    assert toy().stamp == ""


def offered(described, code="code of the plugin"):
    return described.offered_by("toy.py", Path("toy.py"), "toy.py", code)


def test_the_default_version_covers_all_that_decides_what_is_read(folder):
    versions = [
        offered(toy()).version,
        offered(toy(), code="edited").version,
        offered(toy(files=[folder / "a"])).version,
        offered(toy(files=[folder / "b"])).version,
        offered(toy(files=[folder / "b"]), code="edited").version,
        offered(toy(url="https://example.org")).version,
        offered(toy(url="https://example.org", images=ImageSpec(1, 8, 2))).version,
    ]
    assert len(set(versions)) == len(versions)
    published = toy(url="https://example.org")
    assert offered(published, code="edited").version == offered(published).version


def test_a_version_that_the_author_gives_is_kept(folder):
    assert offered(toy(version="2026", files=[folder])).version == "2026"
    assert offered(toy(version="")).version == ""


def test_registering_a_data_set_keeps_the_state_of_its_files(folder):
    described = toy(files=[folder])
    add(folder)
    assert offered(described).has_changed


def test_a_version_is_the_same_whatever_is_spoken(monkeypatch):
    def version() -> str | None:
        known = DataSet(
            name="x",
            images=ImageSpec(1, 8, 2),
            classes=("a", "b"),
            read=lambda _: (),
            url="https://example.org",
        )
        return known.offered_by("x.py", None, "x", "0").version

    found = version()
    monkeypatch.setattr(
        sentences,
        "translated",
        lambda _, own: own if language.current() == "en" else f"说 {own}",
    )
    with language.speaking("zh-CN"):
        assert str(ImageSpec(1, 8, 2)) == "说 1×8×8, 2 classes"
        assert version() == found
