"""Attribution: which pixels raise or lower the logit of a class. The methods are captum's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.inspection.tracing import evaluating

Method: TypeAlias = Literal["integrated gradients", "occlusion"]
METHODS: tuple[Method, ...] = get_args(Method)

STEPS = 32  # of the integral
PATCH, STRIDE = 4, 2  # pixels


class AttributionError(ExplorerError, ValueError):
    """The attribution cannot be computed; the message says why."""


def attribution(
    model: nn.Module, image: Tensor, target: int, method: Method, black: Tensor
) -> Tensor:
    """Compute how much each pixel raises (above 0) or lowers the logit of the class `target`.

    - `integrated gradients`: the gradient of the logit, integrated along the straight line from a
      black image to this one; summed over the pixels, they give the difference of the two logits
      (Sundararajan, Taly & Yan, arXiv:1703.01365, eq. 1 and proposition 1).
    - `occlusion`: how far the logit falls when a patch of 4×4 pixels is painted black (Zeiler &
      Fergus, arXiv:1311.2901, section 4.1), averaged over the patches that cover a pixel.

    Args:
        model: Unchanged afterwards.
        image: `(C, H, W)`, normalised, on the model's device.
        target: The class.
        method: Which of the two.
        black: A black pixel after normalisation, `(C, 1, 1)`.

    Returns:
        `(H, W)`, summed over the image's channels, on the CPU.
    """
    from captum.attr import IntegratedGradients, Occlusion

    batch = image[None].detach()
    baseline = black.to(image).expand_as(image)[None]
    with _quiet(model):
        if method == "integrated gradients":
            found = IntegratedGradients(model).attribute(
                batch, baseline, target, n_steps=STEPS, internal_batch_size=STEPS
            )
        else:
            channels = image.shape[0]
            found = Occlusion(model).attribute(
                batch,
                sliding_window_shapes=(channels, PATCH, PATCH),
                strides=(channels, STRIDE, STRIDE),
                baselines=baseline,
                target=target,
                perturbations_per_eval=64,
            )
            found = found / channels  # captum assigns the whole fall to each of them
    summed: Tensor = found[0].sum(dim=0)
    return summed.detach().float().cpu()


def grad_cam(model: nn.Module, path: str, image: Tensor, target: int) -> Tensor:
    """Compute Grad-CAM: where the maps of one layer raise the logit of a class.

    The maps, each weighted by the mean gradient of the logit with respect to it, are summed and
    clipped at 0 from below (Selvaraju et al., arXiv:1610.02391, eq. 1 and 2).

    Args:
        model: Unchanged afterwards.
        path: The path of any module whose output is `(N, C, H, W)`.
        image: `(C, H, W)`, normalised, on the model's device.
        target: The class.

    Returns:
        `(H, W)`, the size of the layer's maps, on the CPU.

    Raises:
        AttributionError: There is no such module, or it gives no maps.
    """
    from captum.attr import LayerGradCam

    layer = dict(model.named_modules()).get(path)
    if layer is None:
        raise AttributionError(f"There is no layer {path!r} in this network.")
    with _quiet(model), _unwritten(layer):
        try:
            found = LayerGradCam(model, layer).attribute(
                image[None].detach(), target, relu_attributions=True
            )
        except (AssertionError, IndexError) as error:
            raise AttributionError(f"{path} has no Grad-CAM: {error}.") from error
        except RuntimeError as error:
            raise AttributionError(
                f"{path} has no Grad-CAM: no gradient of the logit reaches it ({error})."
            ) from error
    if found.ndim != 4:
        raise AttributionError(f"{path} gives no maps, so there is no Grad-CAM of it.")
    cam: Tensor = found[0, 0]
    return cam.detach().float().cpu()


@contextmanager
def _quiet(model: nn.Module) -> Iterator[None]:
    """Put the model into evaluation mode, with parameters that need no gradient."""
    weights = [p for p in model.parameters() if p.requires_grad]
    with evaluating(model), torch.random.fork_rng(devices=[]):
        try:
            for weight in weights:
                weight.requires_grad_(False)
            yield
        finally:
            for weight in weights:
                weight.requires_grad_(True)


@contextmanager
def _unwritten(layer: nn.Module) -> Iterator[None]:
    """Keep later operations from writing into the output of `layer` in place."""

    def copy(_module: nn.Module, _inputs: object, output: object) -> Tensor:
        if not isinstance(output, Tensor):
            raise AttributionError(f"{type(layer).__name__} gives no maps.")
        return output.clone()

    handle = layer.register_forward_hook(copy)
    try:
        yield
    finally:
        handle.remove()
