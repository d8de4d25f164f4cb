"""Models of timm (Ross Wightman, PyTorch Image Models), with their skips as branches."""

from typing import Annotated, Literal

import timm
from timm.models._efficientnet_blocks import DepthwiseSeparableConv, InvertedResidual
from timm.models.resnet import BasicBlock
from torch import nn

from explorer import Branches, ImageSpec, hookimpl


@hookimpl
def register_architectures(register):
    register(Timm)


class Timm(nn.Module):
    """Small models of timm, untrained, with their skips as branches.

    They are designed for images of about 200 pixels, and halve the maps too often for small ones:
    here their first two strides of 2 are 1. A residual network (He et al., arXiv:1512.03385), and
    three that save multiply-adds by depthwise convolutions: MobileNetV2 (arXiv:1801.04381),
    MobileNetV3 (arXiv:1905.02244) and LCNet (arXiv:2109.15099).
    """

    def __init__(
        self,
        images: ImageSpec,
        *,
        model: Annotated[
            Literal["mobilenetv3_small_050", "mobilenetv2_035", "lcnet_050", "resnet10t"],
            "Its name in timm",
        ] = "mobilenetv2_035",
    ):
        super().__init__()
        self.model = timm.create_model(
            model, in_chans=images.channels, num_classes=images.num_classes
        )
        keep_size(self.model, halvings=2)
        open_skips(self.model)

    def forward(self, x):
        """Return the logits `(N, num_classes)` of images `(N, C, H, W)`."""
        return self.model(x)


def keep_size(model: nn.Module, halvings: int) -> None:
    """Give the first `halvings` layers that halve the maps a stride of 1."""
    strided = (nn.Conv2d, nn.MaxPool2d)
    layers = [m for m in model.modules() if isinstance(m, strided) and m.stride in (2, (2, 2))]
    for layer in layers[:halvings]:
        layer.stride = (1, 1)


def open_skips(model: nn.Module) -> None:
    """Replace every block that adds its input to its output by `Branches`."""
    for name, block in list(model.named_children()):
        open_skips(block)
        if isinstance(block, BasicBlock):
            setattr(model, name, open_basic_block(block))
        elif isinstance(block, InvertedResidual | DepthwiseSeparableConv) and block.has_skip:
            block.has_skip = False  # its output is the residual alone now
            setattr(model, name, Branches({"skip": nn.Identity(), "residual": block}, merge="add"))


def open_basic_block(block: BasicBlock) -> nn.Module:
    """Return `act2(shortcut(x) + F(x))`, made of the block's layers."""
    residual = nn.Sequential(block.conv1, block.bn1, block.act1, block.conv2, block.bn2)
    skip = block.downsample or nn.Identity()
    return nn.Sequential(Branches({"skip": skip, "residual": residual}, merge="add"), block.act2)
