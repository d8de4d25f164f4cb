import pytest
import torchvision.datasets

from explorer.data.dataset import DataSet, DataSetError
from explorer.plugin.registry import discover
from explorer.spec import ImageSpec

REGISTRY = discover()
DATASETS, dataset = REGISTRY.datasets, REGISTRY.dataset


def test_the_five_data_sets_are_there_with_the_images_they_have():
    grey, colour = ImageSpec(1, 28, 10), ImageSpec(3, 32, 10)
    assert {name: known.images for name, known in DATASETS.items()} == {
        "mnist": grey,
        "fashion-mnist": grey,
        "kmnist": grey,
        "qmnist": grey,
        "cifar-10": colour,
    }


def test_only_mnist_needs_no_download():
    assert [known.name for known in DATASETS.values() if not known.needs_download] == ["mnist"]


def test_the_built_in_data_sets_never_change_so_their_runs_need_no_version():
    assert {known.version for known in DATASETS.values()} == {""}


@pytest.mark.parametrize("known", DATASETS.values(), ids=DATASETS)
def test_a_data_set_describes_itself_whole(known):
    assert dataset(known.name) is known
    assert len(known.mean) == len(known.std) == known.images.channels
    assert all(0 < mean < 1 for mean in known.mean)
    assert all(0 < std < 1 for std in known.std)
    assert len(set(known.classes)) == known.images.num_classes
    assert known.title
    assert known.citation
    assert known.location.name == "datasets.py"


def test_the_addresses_are_those_that_torchvision_downloads_from():
    vision = torchvision.datasets
    assert dataset("fashion-mnist").url in vision.FashionMNIST.mirrors
    assert dataset("kmnist").url in vision.KMNIST.mirrors
    assert dataset("cifar-10").url == vision.CIFAR10.url
    addresses = [url for part in ("train", "test") for url, _ in vision.QMNIST.resources[part]]
    assert all(address.startswith(dataset("qmnist").url) for address in addresses)


def test_cifar_s_labels_are_in_the_order_of_their_numbers():
    assert dataset("cifar-10").classes[0] == "airplane"
    assert dataset("cifar-10").classes[9] == "truck"


def own(**changes) -> DataSet:
    facts = {"name": "own", "images": ImageSpec(1, 4, 2), "classes": ("a", "b"), "read": print}
    return DataSet(**(facts | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "My Own"}, "'My Own' cannot be a data set's name; use small letters, digits"),
        ({"name": "../own"}, "'../own' cannot be a data set's name"),
        ({"name": 3}, "3 cannot be a data set's name"),
        ({"images": (1, 4, 2)}, r"images of own must be an ImageSpec\(channels, size, classes\)"),
        (
            {"classes": ("a",)},
            "own has 2 classes and 1 different labels; give it one label a class",
        ),
        ({"classes": ("a", "a")}, "own has 2 classes and 1 different labels"),
        ({"mean": (0.1, 0.2)}, "mean of own has 2 values for 1 channels; give one a channel"),
        ({"std": (0.1, 0.2)}, "std of own has 2 values for 1 channels"),
        ({"centred": True, "images": ImageSpec(3, 4, 2)}, "own is centred, which only grey images"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(changes, sentence):
    with pytest.raises(DataSetError, match=sentence):
        own(**changes)


def test_a_title_is_the_name_unless_another_is_given():
    assert own().title == "own"
    assert own(title="Mine").title == "Mine"
    assert own(classes=[0, 1]).classes == ("0", "1")
