"""Ablation: run a network with some of its parts switched off.

A part that is off gives zeros. So a sum x + F(x) without its skip is F(x), without its residual it
is x; a concatenation without a branch keeps its shape, with zeros in the channels of that branch.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from explorer.branches import Branches
from explorer.errors import ExplorerError
from explorer.inspection.parts import branch_path
from explorer.text import suggest

_CHANNEL = re.compile(r"(?P<path>.*):(?P<channel>\d+)")


class AblationError(ExplorerError, ValueError):
    """Nothing of that name can be switched off; the message says what can."""


@contextmanager
def ablated(model: nn.Module, off: Collection[str]) -> Iterator[None]:
    """Switch some parts of `model` off until the `with` block is left.

    Args:
        model: Changed within the `with` block, for everyone who uses it at that time.
        off: Branches by their path, such as `mix1.5x5` or `block2.skip`, and single channels of
            any module's output by path and number, such as `conv1:3`.

    Raises:
        AblationError: One of them is no branch, no module, or no channel of it. A channel's number
            can be refused only when the module runs.
    """
    branches, channels = _sort(model, off)
    with ExitStack() as undo:
        for block, names in branches.items():
            undo.callback(setattr, block, "merge", block.merge)
            block.merge = _without(names, block)
        for module, numbers in channels.items():
            undo.callback(module.register_forward_hook(_zero(numbers)).remove)
        yield


def _sort(
    model: nn.Module, off: Collection[str]
) -> tuple[dict[Branches, set[str]], dict[nn.Module, list[int]]]:
    modules = dict(model.named_modules())
    branches: dict[Branches, set[str]] = defaultdict(set)
    channels: dict[nn.Module, list[int]] = defaultdict(list)
    for switch in off:
        path, _, name = switch.rpartition(".")
        block = modules.get(path)
        if isinstance(block, Branches) and name in block:
            branches[block].add(name)
        elif (match := _CHANNEL.fullmatch(switch)) and match["path"] in modules:
            channels[modules[match["path"]]].append(int(match["channel"]))
        else:
            known = [
                branch_path(path, name)
                for path, block in modules.items()
                if isinstance(block, Branches)
                for name in block
            ] or [f"{path}:0" for path in modules if path]
            raise AblationError(f"There is no branch {switch!r}; {suggest(switch, known)}")
    return branches, channels


def _without(off: Collection[str], block: Branches) -> Callable[[Sequence[Tensor]], Tensor]:
    merge = block.merge

    def merged(outputs: Sequence[Tensor]) -> Tensor:
        return merge(
            [
                torch.zeros_like(output) if name in off else output
                for name, output in zip(block, outputs, strict=True)
            ]
        )

    merged.__name__ = getattr(merge, "__name__", type(merge).__name__)
    return merged


def _zero(channels: Sequence[int]) -> Callable[..., Tensor]:
    def hook(module: nn.Module, _: object, output: object) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim < 2:
            raise AblationError(f"{type(module).__name__} gives no channels to switch off.")
        if max(channels) >= output.shape[1]:
            raise AblationError(
                f"{type(module).__name__} has {output.shape[1]} channels, 0 to "
                f"{output.shape[1] - 1}, so there is no channel {max(channels)}."
            )
        output = output.clone()
        output[:, list(channels)] = 0
        return output

    return hook
