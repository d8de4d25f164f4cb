"""Models of timm (Ross Wightman, PyTorch Image Models), as they are."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

import timm
from timm.models import MlpMixer
from torch import nn

from explorer import ImageSpec, hookimpl

# What makes them small enough to be trained on a CPU.
SMALL: Mapping[str, Mapping[str, Any]] = {
    "convnext_atto": {"depths": (1, 1, 2, 1)},
    "vit_tiny_patch16_224": {"patch_size": 4, "embed_dim": 48, "depth": 4},
    "mixer": {"patch_size": 4, "embed_dim": 48, "num_blocks": 4},
}
PATCHES = ("vit_tiny_patch16_224", "mixer")  # these are told how large the images are


@hookimpl
def register_architectures(register):
    register(small_timm, name="timm")


def small_timm(
    images: ImageSpec,
    *,
    model: Annotated[
        Literal[
            "mobilenetv3_small_050",
            "mobilenetv2_035",
            "lcnet_050",
            "resnet10t",
            "convnext_atto",
            "vit_tiny_patch16_224",
            "mixer",
        ],
        "Its name in timm",
    ] = "mobilenetv2_035",
) -> nn.Module:
    """Return a small model of timm, untrained.

    They are designed for images of about 200 pixels, and halve the maps too often for small ones:
    here the first two strides of 2 are 1, and patches are of 4 pixels. A residual network (He et
    al., arXiv:1512.03385); three that save multiply-adds by depthwise convolutions: MobileNetV2
    (arXiv:1801.04381), MobileNetV3 (arXiv:1905.02244) and LCNet (arXiv:2109.15099); ConvNeXt
    (arXiv:2201.03545), ViT (arXiv:2010.11929) and MLP-Mixer (arXiv:2105.01601), with fewer blocks.
    """
    options = dict(SMALL.get(model, {}))
    if model in PATCHES:
        options["img_size"] = images.size
    make = MlpMixer if model == "mixer" else partial(timm.create_model, model)
    made = make(in_chans=images.channels, num_classes=images.num_classes, **options)
    keep_size(made, halvings=2)
    return made


def keep_size(model: nn.Module, halvings: int) -> None:
    """Give the first `halvings` layers that halve the maps a stride of 1."""
    strided = (nn.Conv2d, nn.MaxPool2d)
    layers = [m for m in model.modules() if isinstance(m, strided) and m.stride in (2, (2, 2))]
    for layer in layers[:halvings]:
        layer.stride = (1, 1)
