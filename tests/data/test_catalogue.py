import pytest
import torchvision.datasets

from explorer.data.catalogue import DATASETS, UnknownDataSetError, dataset
from explorer.spec import ImageSpec


def test_the_five_data_sets_are_there_with_the_images_they_have():
    grey, colour = ImageSpec(1, 28, 10), ImageSpec(3, 32, 10)
    assert {name: known.images for name, known in DATASETS.items()} == {
        "mnist": grey,
        "fashion-mnist": grey,
        "kmnist": grey,
        "qmnist": grey,
        "cifar-10": colour,
    }


def test_only_mnist_is_embedded():
    assert [known.name for known in DATASETS.values() if known.embedded] == ["mnist"]


@pytest.mark.parametrize("known", DATASETS.values(), ids=DATASETS)
def test_a_data_set_describes_itself_whole(known):
    assert dataset(known.name) is known
    assert len(known.mean) == len(known.deviation) == known.images.channels
    assert all(0 < mean < 1 for mean in known.mean)
    assert all(0 < deviation < 1 for deviation in known.deviation)
    assert len(set(known.labels)) == known.images.classes
    assert known.title
    assert known.source


@pytest.mark.parametrize("known", DATASETS.values(), ids=DATASETS)
def test_torchvision_has_a_class_for_each_data_set(known):
    assert issubclass(
        getattr(torchvision.datasets, known.torchvision), torchvision.datasets.VisionDataset
    )


def test_the_addresses_are_those_that_torchvision_downloads_from():
    vision = torchvision.datasets
    assert dataset("fashion-mnist").address in vision.FashionMNIST.mirrors
    assert dataset("kmnist").address in vision.KMNIST.mirrors
    assert dataset("cifar-10").address == vision.CIFAR10.url
    addresses = [url for part in ("train", "test") for url, _ in vision.QMNIST.resources[part]]
    assert all(address.startswith(dataset("qmnist").address) for address in addresses)


def test_cifar_s_labels_are_in_the_order_of_their_numbers():
    assert dataset("cifar-10").labels[0] == "airplane"
    assert dataset("cifar-10").labels[9] == "truck"


def test_an_unknown_data_set_is_refused_with_the_one_that_was_probably_meant():
    with pytest.raises(UnknownDataSetError) as refusal:
        dataset("fashion_mnist")
    assert (
        str(refusal.value) == "There is no data set 'fashion_mnist'; did you mean 'fashion-mnist'?"
    )


def test_an_unknown_data_set_like_no_other_is_refused_with_all_there_are():
    with pytest.raises(UnknownDataSetError) as refusal:
        dataset("imagewoof!")
    assert str(refusal.value) == (
        "There is no data set 'imagewoof!'; "
        "there are mnist, fashion-mnist, kmnist, qmnist, cifar-10."
    )
