"""Attribution: which pixels, or which places of a map, raise or lower the logit of a class."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.inspection.intervene import Target, intervening
from explorer.inspection.results import Method
from explorer.inspection.tracing import Trace
from explorer.language import say
from explorer.modes import evaluating
from explorer.outputs import first_output

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

    def logits(images: Tensor) -> Tensor:
        return first_output(model(images))

    with _quiet(model):
        if method == "integrated gradients":
            found = IntegratedGradients(logits).attribute(
                batch, baseline, target, n_steps=STEPS, internal_batch_size=STEPS
            )
        else:
            channels = image.shape[0]
            found = Occlusion(logits).attribute(
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


def grad_cam(model: nn.Module, seen: Trace[Any], name: str, image: Tensor, target: int) -> Tensor:
    """Compute Grad-CAM: where the maps of one part raise the logit of a class.

    The maps, each weighted by the mean gradient of the logit with respect to it, are summed and
    clipped at 0 from below (Selvaraju et al., arXiv:1610.02391, eq. 1 and 2).

    Args:
        model: Unchanged afterwards.
        seen: What was seen of it.
        name: The name of a layer, an operation or a block whose output is `(N, C, H, W)`.
        image: `(C, H, W)`, normalised, on the model's device.
        target: The class.

    Returns:
        `(H, W)`, the size of the part's maps, on the CPU.

    Raises:
        AttributionError: There is no such part, or it gives no maps.
    """
    if name not in seen.named:
        raise AttributionError(say("There is no layer {name!r} in this network.", name=name))
    part = seen.named[name]
    found: list[Tensor] = []

    def cut(value: Tensor) -> Tensor:
        found.append(value.detach().clone().requires_grad_())
        return found[-1].clone()  # later operations may write into it

    with _quiet(model), torch.enable_grad(), intervening(model, {Target(part.point): cut}):
        logit = first_output(model(image[None].detach()))[0, target]
    maps = found[0]
    if maps.ndim != 4 or len(maps) != 1:
        raise AttributionError(
            say("{name} gives no maps, so there is no Grad-CAM of it.", name=name)
        )
    if logit.requires_grad:
        logit.backward()  # not `autograd.grad`, which reentrant checkpoints refuse
    if maps.grad is None:
        raise AttributionError(
            say("{name} has no Grad-CAM: no gradient of the logit reaches it.", name=name)
        )
    gradient, maps = maps.grad, maps.detach()
    if part.channels_last:
        gradient, maps = gradient.movedim(-1, 1), maps.movedim(-1, 1)
    weighted = (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1)[0]
    return weighted.detach().relu().float().cpu()


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
