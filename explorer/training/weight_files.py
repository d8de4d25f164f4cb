"""Files of weights: a state dict as safetensors, or as `torch.save` writes it.

Only tensors are read: no file can make the explorer run its code.
"""

import io
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from explorer.errors import ExplorerError, message_of
from explorer.files import why_not_written, write_whole
from explorer.language import listed, say
from explorer.text import cut, on_one_line

SAFETENSORS = ".safetensors"
PICKLED = (".pt", ".pth", ".bin", ".ckpt")
WRAPPERS = ("state_dict", "model_state_dict", "model", "net")  # keys of whole checkpoints

_REASON = 120  # characters of a library's words
_CODE = re.compile(r"(?:GLOBAL|REDUCE\s+\w+|class) ([\w.]+\.\w+)")


class WeightFileError(ExplorerError, ValueError):
    """A file of weights cannot be read, written or used; the message says why, in one line.

    Names in the file, which anybody may have written, are part of it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(on_one_line(message))


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read a state dict from a file, on the CPU.

    Args:
        file: `.safetensors`; or `.pt`, `.pth`, `.bin`, `.ckpt`, in which the state dict may be one
            of several values under a usual name, such as `state_dict`.

    Raises:
        WeightFileError: There is no such file, it is damaged or of another kind, needs code to be
            run, or holds something else than tensors with names.
    """
    if file.suffix.lower() not in (SAFETENSORS, *PICKLED):
        raise WeightFileError(
            say(
                "{file} is not a file of weights; its name must end in {endings}.",
                file=file,
                endings=listed([SAFETENSORS, *PICKLED], say(" or ")),
            )
        )
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise WeightFileError(say("There is no file {file}.", file=file)) from None
    except OSError as error:
        raise WeightFileError(
            say("{file} cannot be read ({reason}).", file=file, reason=error.strerror)
        ) from error
    read = _from_safetensors if _is_safe(file) else _unpickle
    return _tensors(file, read(file, content))


def write_weights(
    file: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, str], *, overwrite: bool = False
) -> None:
    """Write a state dict to a file, all of it or nothing.

    Args:
        file: `.safetensors`; or `.pt`, `.pth`, `.bin`, `.ckpt`, which `torch.load` reads.
        tensors: The state dict.
        facts: Further texts by name, which safetensors keep and the other kinds do not.
        overwrite: Whether a file of this name may be replaced.

    Raises:
        WeightFileError: There is such a file already, or it cannot be written.
    """
    if file.suffix.lower() not in (SAFETENSORS, *PICKLED):
        raise WeightFileError(
            say(
                "{file} cannot be written; its name must end in {endings}.",
                file=file,
                endings=listed([SAFETENSORS, PICKLED[0]], say(" or ")),
            )
        )
    if file.exists() and not overwrite:
        raise WeightFileError(
            say(
                "{file} is there already; name another, or give --force to write over it.",
                file=file,
            )
        )
    if _is_safe(file):
        from safetensors.torch import save

        content = save(dict(tensors), {"format": "pt", **facts})
    else:
        buffer = io.BytesIO()
        torch.save(dict(tensors), buffer)
        content = buffer.getvalue()
    try:
        write_whole(file, content)
    except OSError as error:
        raise WeightFileError(why_not_written(file, error)) from error


def _is_safe(file: Path) -> bool:
    return file.suffix.lower() == SAFETENSORS


def _from_safetensors(file: Path, content: bytes) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except (SafetensorError, KeyError, ValueError) as error:  # a type that torch does not have, too
        raise WeightFileError(
            say(
                "{file} cannot be read as safetensors: it is damaged or of another kind "
                "({reason}).",
                file=file,
                reason=_brief(error),
            )
        ) from error


def _unpickle(file: Path, content: bytes) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # what torch raises depends on where the damage is
        text = message_of(error)
        code = _CODE.search(text) if isinstance(error, pickle.UnpicklingError) else None
        if code or "TorchScript" in text:
            raise WeightFileError(
                say(
                    "{file} holds {what}, which would have to be run as code, and only tensors are "
                    "read; save the state dict alone: torch.save(model.state_dict(), …).",
                    file=file,
                    what=code[1] if code else say("a TorchScript program"),
                )
            ) from error
        raise WeightFileError(
            say(
                "{file} cannot be read by torch.load: it is damaged or of another kind ({reason}).",
                file=file,
                reason=_brief(error),
            )
        ) from error


def _brief(error: Exception) -> str:
    return cut(message_of(error).partition(". ")[0], _REASON)


def _tensors(file: Path, found: object) -> dict[str, Tensor]:
    """Return the state dict in what was read, which may be the value of a usual name."""
    while isinstance(found, Mapping) and not _all_tensors(found):
        inner = (found[key] for key in WRAPPERS if isinstance(found.get(key), Mapping))
        if (state := next(inner, None)) is None:
            break
        found = state
    if isinstance(found, Mapping) and _all_tensors(found):
        return dict(found)
    if isinstance(found, Mapping) and found:
        others = [str(key) for key, value in found.items() if not _is_plain(value)]
        names = cut(", ".join(others), _REASON)
        what = say("more than tensors with names ({names})", names=names)
    elif isinstance(found, Mapping):
        what = say("nothing")
    else:
        what = say("a {kind}", kind=type(found).__name__)
    raise WeightFileError(
        say(
            "{file} holds {what} where a state dict is expected; save it with "
            "torch.save(model.state_dict(), …), or under one of the names {names}.",
            file=file,
            what=what,
            names=listed(WRAPPERS, ","),
        )
    )


def _all_tensors(found: Mapping[object, object]) -> bool:
    return bool(found) and all(
        isinstance(name, str) and _is_plain(value) for name, value in found.items()
    )


def _is_plain(value: object) -> bool:
    """Return whether it is a tensor of plain numbers: not sparse, quantised or without memory."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and not value.is_quantized
        and value.device.type == "cpu"
    )
