"""Networks that were not written for the explorer."""

from dataclasses import replace

import pytest
import torch
from inspection.trees import settle
from torch import nn
from torchvision.models import densenet121, googlenet, resnet18

from explorer.data.loader import Split
from explorer.runs.restore import load_network
from explorer.training.events import Moment


def _stranger(name):
    torch.manual_seed(0)
    if name == "resnet18":
        model = resnet18(num_classes=10)
        model.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    elif name == "googlenet":
        model = googlenet(num_classes=10, aux_logits=False, init_weights=False)
        model.conv1.conv = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    else:
        model = densenet121(num_classes=10)
        model.features.conv0 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    return settle(model)


@pytest.fixture(scope="session", params=["resnet18", "googlenet", "densenet121"])
def stranger(request) -> nn.Module:
    """A network for 1-channel images without any `Branches`, in training mode."""
    return _stranger(request.param)


@pytest.fixture(scope="module")
def one_thread():
    """Use one thread, since several would wait for one another at such small images."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def example(examples, registry):
    """The shipped net of that architecture, after its last epoch."""

    def load(architecture: str) -> nn.Module:
        run = next(run for run in examples.runs() if run.spec.architecture == architecture)
        return load_network(run, Moment(10), examples, registry, torch.device("cpu"))

    return load


@pytest.fixture(scope="session")
def digits(mnist) -> Split:
    """A few hundred test images of MNIST, on the CPU."""
    some = mnist.test.subset(601)
    return replace(
        some,
        images=some.images.cpu(),
        labels=some.labels.cpu(),
        mean=some.mean.cpu(),
        std=some.std.cpu(),
    )
