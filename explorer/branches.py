"""Modules that run named paths side by side: the one thing all architectures here share.

One path is a plain stack, two summed paths are a residual block (He et al. 2015,
arXiv:1512.03385, eq. 1), several concatenated paths are an Inception module (Szegedy et al. 2014,
arXiv:1409.4842, fig. 2). Because the paths have names, everything that looks inside a network can
speak of them, for networks that it has never seen.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

Merge = Callable[[Sequence[Tensor]], Tensor]


def concat(outputs: Sequence[Tensor]) -> Tensor:
    """Lay the branches' channels one after the other, in the order of the branches.

    Args:
        outputs: One tensor a branch, `(N, C_i, H, W)` with equal N, H and W.

    Returns:
        `(N, ΣC_i, H, W)`.
    """
    return torch.cat(tuple(outputs), dim=1)


def add(outputs: Sequence[Tensor]) -> Tensor:
    """Sum the branches, element by element: `x + F(x)` when one of them is `nn.Identity()`.

    Args:
        outputs: One tensor a branch, all `(N, C, H, W)`.

    Returns:
        `(N, C, H, W)`.
    """
    total = outputs[0]
    for output in outputs[1:]:
        # A broadcast would be a slip that trains quietly, so it is refused.
        if output.shape != total.shape:
            raise RuntimeError("only tensors of one shape can be summed")
        total = total + output
    return total


class Branches(nn.ModuleDict):
    """Runs every path on the same input and merges what they give.

    The keys are the branches' names. Feature maps, ablation switches, costs and drawings all read
    them from here, so no second list can drift from the network.

    Args:
        paths: The paths by name, in the order in which they are merged.
        merge: `concat` (the default), `add`, or any function from the list of the paths' outputs
            to one tensor.

    Raises:
        ValueError: No path, a name that a module cannot bear, or outputs that do not fit together.

    Example:
        ```python
        Branches({"skip": nn.Identity(), "residual": nn.Conv2d(16, 16, 3, padding=1)}, merge=add)
        ```
    """

    def __init__(self, paths: Mapping[str, nn.Module], merge: Merge = concat) -> None:
        super().__init__()
        if isinstance(merge, nn.Module):
            raise ValueError(
                "merge must be a function, not a module: a module in here would be a branch."
            )
        self.merge = merge  # before the paths, so that none of them can be called "merge"
        if not paths:
            raise ValueError("Branches needs at least one path, such as {'3x3': nn.Conv2d(…)}.")
        for name, path in paths.items():
            try:
                if path is None:  # add_module takes it
                    raise TypeError("None is not a Module subclass")
                self.add_module(name, path)
            except (KeyError, TypeError) as error:
                raise ValueError(
                    f"{name!r} cannot be a branch: {error.args[0]}. A branch is an nn.Module "
                    "whose name is not empty, has no dot and is no attribute of nn.ModuleDict."
                ) from error

    def forward(self, x: Tensor) -> Tensor:
        """Merge the outputs of all paths for `x` of shape `(N, C, H, W)`."""
        outputs = [path(x) for path in self.values()]
        try:
            return self.merge(outputs)
        except RuntimeError as error:
            shapes = ", ".join(
                f"{name} gives {'×'.join(map(str, output.shape[1:]))}"
                for name, output in zip(self, outputs, strict=True)
            )
            fitting = "the same shape" if self.merge is add else "the same height and width"
            raise ValueError(
                f"The branches do not fit together: {shapes}; give all of them {fitting}: "
                f"padding=kernel // 2 keeps height and width ({error})."
            ) from error

    def extra_repr(self) -> str:
        """Name the merge in the module's printed form."""
        return f"merge={getattr(self.merge, '__name__', self.merge)}"
