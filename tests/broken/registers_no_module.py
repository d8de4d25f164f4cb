"""Offers a function that builds a network, not a class."""

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(make_network)


def make_network(images):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(images.num_classes))
