"""The data sets that the explorer knows: what their images are like and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass

from explorer.parameters import suggest
from explorer.spec import ImageSpec


class UnknownDataSetError(LookupError):
    """There is no data set of that name."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set for telling images apart.

    Attributes:
        name: What it is called on the command line, and its folder in the cache.
        title: What it is called in the picker.
        images: Channels, size and number of classes.
        mean: Each channel's mean over the training images, pixels scaled to 0–1.
        deviation: Each channel's standard deviation over the training images, likewise.
        labels: The classes' names, in the order of their numbers.
        torchvision: The class in `torchvision.datasets` that reads it.
        address: Where it is downloaded from; empty if it is embedded.
        source: Who made it.
        centred: Whether each image's ink was scaled to a box of 20 pixels and centred by its mass.
    """

    name: str
    title: str
    images: ImageSpec
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    labels: tuple[str, ...]
    torchvision: str
    address: str
    source: str
    centred: bool = False

    @property
    def embedded(self) -> bool:
        """Whether it ships with the explorer and needs no network."""
        return not self.address


_DIGITS = tuple("0123456789")
_GREY = ImageSpec(channels=1, size=28, classes=10)

_ALL = (
    DataSet(
        name="mnist",
        title="MNIST",
        images=_GREY,
        mean=(0.1307,),
        deviation=(0.3081,),
        labels=_DIGITS,
        torchvision="MNIST",
        address="",
        source="LeCun, Cortes & Burges, The MNIST database of handwritten digits (CC BY-SA 3.0)",
        centred=True,
    ),
    DataSet(
        name="fashion-mnist",
        title="Fashion-MNIST",
        images=_GREY,
        mean=(0.2860,),
        deviation=(0.3530,),
        labels=(
            "T-shirt",
            "trousers",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ),
        torchvision="FashionMNIST",
        address="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        source="Xiao, Rasul & Vollgraf, Fashion-MNIST, arXiv:1708.07747 (MIT)",
    ),
    DataSet(
        name="kmnist",
        title="KMNIST",
        images=_GREY,
        mean=(0.1918,),
        deviation=(0.3483,),
        labels=tuple("おきすつなはまやれを"),
        torchvision="KMNIST",
        address="http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        source="Clanuwat et al., Deep Learning for Classical Japanese Literature, "
        "arXiv:1812.01718 (CC BY-SA 4.0)",
    ),
    DataSet(
        name="qmnist",
        title="QMNIST",
        images=_GREY,
        mean=(0.1307,),
        deviation=(0.3081,),
        labels=_DIGITS,
        torchvision="QMNIST",
        address="https://raw.githubusercontent.com/facebookresearch/qmnist/master/",
        source="Yadav & Bottou, Cold Case: The Lost MNIST Digits, arXiv:1905.10498",
        centred=True,
    ),
    DataSet(
        name="cifar-10",
        title="CIFAR-10",
        images=ImageSpec(channels=3, size=32, classes=10),
        mean=(0.4914, 0.4822, 0.4465),
        deviation=(0.2470, 0.2435, 0.2616),
        labels=(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        torchvision="CIFAR10",
        address="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    ),
)

DATASETS: Mapping[str, DataSet] = {dataset.name: dataset for dataset in _ALL}


def dataset(name: str) -> DataSet:
    """The data set of that name.

    Raises:
        UnknownDataSetError: There is none.
    """
    try:
        return DATASETS[name]
    except KeyError:
        raise UnknownDataSetError(
            f"There is no data set {name!r}; {suggest(name, DATASETS)}"
        ) from None
