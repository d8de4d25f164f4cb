"""A container for authors who want to name a block's branches, or merge them in their own way.

One path is a plain stack, two summed paths are a residual block (He et al. 2015,
arXiv:1512.03385, eq. 1), several concatenated paths are an Inception module (Szegedy et al. 2014,
arXiv:1409.4842, fig. 2).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function

from explorer.errors import ExplorerError
from explorer.language import listed, say
from explorer.text import dimensions

Merge: TypeAlias = Literal["concat", "add"] | Callable[[Sequence[Tensor]], Tensor]


class BranchesError(ExplorerError, ValueError):
    """Branches that cannot be built or merged; the message says what would be right."""


def concat(outputs: Sequence[Tensor]) -> Tensor:
    """Concatenate the channels, in the order of the branches.

    Args:
        outputs: One tensor for each branch, `(N, C_i, H, W)` with equal N, H and W.

    Returns:
        `(N, ΣC_i, H, W)`.
    """
    return torch.cat(tuple(outputs), dim=1)


def add(outputs: Sequence[Tensor]) -> Tensor:
    """Sum the branches, element by element: `x + F(x)` when one of them is `nn.Identity()`.

    Args:
        outputs: One tensor for each branch, all `(N, C, H, W)`.

    Returns:
        `(N, C, H, W)`.
    """
    total = outputs[0]
    for output in outputs[1:]:
        total = total + output
    return total


_MERGES: Mapping[str, Callable[[Sequence[Tensor]], Tensor]] = {"concat": concat, "add": add}


def merge_named(merge: Merge, outputs: Sequence[Tensor], names: Sequence[str]) -> Tensor:
    """Merge the outputs; whoever watches the run by a `TorchFunctionMode` sees their names."""
    if has_torch_function(outputs):
        merged: Tensor = handle_torch_function(merge_named, outputs, merge, outputs, names)
        return merged
    assert callable(merge)
    return merge(outputs)


class Branches(nn.ModuleDict):
    """Runs every path on the same input and merges the outputs.

    The keys are the branches' names: feature maps, switches, costs and drawings use them.

    Args:
        paths: The paths by name, in the order in which they are merged.
        merge: `"concat"` along the channels (the default), `"add"`, or any function from the list
            of the paths' outputs to one tensor.

    Raises:
        BranchesError: There is no path, a name that a module cannot have, an unknown merge, or
            outputs whose shapes do not fit together.

    Example:
        ```python
        Branches({"skip": nn.Identity(), "residual": nn.Conv2d(16, 16, 3, padding=1)}, merge="add")
        ```
    """

    def __init__(self, paths: Mapping[str, nn.Module], merge: Merge = "concat") -> None:
        super().__init__()
        if isinstance(merge, nn.Module):
            raise BranchesError(
                say("merge must be a function, not a module: a module in here would be a branch.")
            )
        if not callable(merge) and merge not in _MERGES:
            raise BranchesError(
                say('merge must be "concat", "add" or a function, not {given}.', given=repr(merge))
            )
        # Before the paths, so that none of them can be called "merge".
        self.merge = merge if callable(merge) else _MERGES[merge]
        if not paths:
            raise BranchesError(
                say("Branches needs at least one path, such as {'3x3': nn.Conv2d(…)}.")
            )
        for name, path in paths.items():
            try:
                if path is None:  # add_module takes it
                    raise TypeError("None is not a Module subclass")
                self.add_module(name, path)
            except (KeyError, TypeError) as error:
                raise BranchesError(
                    say(
                        "{name} cannot be a branch: {reason}. A branch is an nn.Module whose name "
                        "is not empty, has no dot and is no attribute of nn.ModuleDict.",
                        name=repr(name),
                        reason=error.args[0],
                    )
                ) from error

    def forward(self, x: Tensor) -> Tensor:
        """Merge the outputs of all paths for `x` of shape `(N, C, H, W)`."""
        outputs = [path(x) for path in self.values()]
        if self.merge is add or self.merge is concat:
            self._refuse_misfits(outputs)
        return merge_named(self.merge, outputs, tuple(self))

    def _refuse_misfits(self, outputs: Sequence[Tensor]) -> None:
        # Beforehand, since a sum would broadcast and train quietly, and since a merge that fails
        # for another reason, such as its memory, must say so itself.
        shapes = [tuple(output.shape[1:]) for output in outputs]
        merged = 0 if self.merge is add else 1
        if len({shape[merged:] for shape in shapes}) == 1 and len(set(map(len, shapes))) == 1:
            return
        each = [
            say("{name} gives {shape}", name=name, shape=dimensions(shape))
            for name, shape in zip(self, shapes, strict=True)
        ]
        if merged:
            raise BranchesError(
                say(
                    "The branches do not fit together: {each}; give all of them the same height "
                    "and width: padding=kernel // 2 keeps height and width.",
                    each=listed(each, ","),
                )
            )
        raise BranchesError(
            say(
                "The branches do not fit together: {each}; give all of them the same shape: "
                "padding=kernel // 2 keeps height and width.",
                each=listed(each, ","),
            )
        )

    def extra_repr(self) -> str:
        """Name the merge in the module's printed form."""
        return f"merge={getattr(self.merge, '__name__', self.merge)}"
