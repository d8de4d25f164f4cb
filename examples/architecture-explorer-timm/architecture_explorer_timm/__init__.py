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

    They are made for images of some 200 pixels: the first two layers that would halve the maps
    leave them as they are, so that something is left of small images. A residual network (He et
    al., arXiv:1512.03385) beside three that save multiply-adds by depthwise convolutions:
    MobileNetV2 (arXiv:1801.04381), MobileNetV3 (arXiv:1905.02244) and LCNet (arXiv:2109.15099).
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
        """Logits `(N, num_classes)` of images `(N, C, H, W)`."""
        return self.model(x)


def keep_size(model: nn.Module, halvings: int) -> None:
    """Let the first `halvings` layers that would halve the maps leave them as they are."""
    strided = (nn.Conv2d, nn.MaxPool2d)
    layers = [m for m in model.modules() if isinstance(m, strided) and m.stride in (2, (2, 2))]
    for layer in layers[:halvings]:
        layer.stride = (1, 1)


def open_skips(model: nn.Module) -> None:
    """Put `Branches` in the place of every block that adds its input to what it makes of it."""
    for name, block in list(model.named_children()):
        open_skips(block)
        if isinstance(block, BasicBlock):
            setattr(model, name, open_basic_block(block))
        elif isinstance(block, InvertedResidual | DepthwiseSeparableConv) and block.has_skip:
            block.has_skip = False  # what it gives then is the residual alone
            setattr(model, name, Branches({"skip": nn.Identity(), "residual": block}, merge="add"))


def open_basic_block(block: BasicBlock) -> nn.Module:
    """`act2(shortcut(x) + F(x))`, from the block's own layers."""
    residual = nn.Sequential(block.conv1, block.bn1, block.act1, block.conv2, block.bn2)
    skip = block.downsample or nn.Identity()
    return nn.Sequential(Branches({"skip": skip, "residual": residual}, merge="add"), block.act2)
