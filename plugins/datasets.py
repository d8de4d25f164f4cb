"""The data sets: MNIST, another made from it, and four that torchvision downloads at first use."""

from explorer import DataSet, ImageSpec, hookimpl, torchvision_reader
from explorer.data.mnist import MNIST
from explorer.data.mnist.scales import MNIST_SCALES

GREY = ImageSpec(channels=1, size=28, num_classes=10)


@hookimpl
def register_datasets(register):
    register(MNIST)
    register(MNIST_SCALES)
    register(
        DataSet(
            name="fashion-mnist",
            title="Fashion-MNIST",
            images=GREY,
            classes=(
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
            mean=(0.2860,),
            std=(0.3530,),
            read=torchvision_reader("FashionMNIST"),
            version="",  # published: it never changes
            url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            citation="Xiao, Rasul & Vollgraf, Fashion-MNIST, arXiv:1708.07747 (MIT)",
        )
    )
    register(
        DataSet(
            name="kmnist",
            title="KMNIST",
            images=GREY,
            classes=tuple("おきすつなはまやれを"),
            mean=(0.1918,),
            std=(0.3483,),
            read=torchvision_reader("KMNIST"),
            version="",  # published: it never changes
            url="http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            citation="Clanuwat et al., Deep Learning for Classical Japanese Literature, "
            "arXiv:1812.01718 (CC BY-SA 4.0)",
        )
    )
    register(
        DataSet(
            name="qmnist",
            title="QMNIST",
            images=GREY,
            classes=tuple("0123456789"),
            mean=(0.1307,),
            std=(0.3081,),
            read=torchvision_reader("QMNIST"),
            version="",  # published: it never changes
            url="https://raw.githubusercontent.com/facebookresearch/qmnist/master/",
            citation="Yadav & Bottou, Cold Case: The Lost MNIST Digits, arXiv:1905.10498",
            centred=True,
        )
    )
    register(
        DataSet(
            name="cifar-10",
            title="CIFAR-10",
            images=ImageSpec(channels=3, size=32, num_classes=10),
            classes=(
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
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2470, 0.2435, 0.2616),
            read=torchvision_reader("CIFAR10"),
            version="",  # published: it never changes
            url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            citation="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
        )
    )
