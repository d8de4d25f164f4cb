"""Offers a function that returns layers, not a network."""

from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(make_layers)


def make_layers(images):
    return [nn.Flatten(), nn.LazyLinear(images.num_classes)]
