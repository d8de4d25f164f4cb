"""Reads what a child process sends: plain values only.

Pickle may call anything by name. A child runs authors' code, whose classes the server must neither
import nor call; so only the explorer's own records, arrays and Python's plain types are read.
"""

import io
import pickle
from typing import Any

from explorer.errors import ExplorerError
from explorer.language import say

_PLAIN = {
    "builtins": {
        *("bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "range"),
        *("set", "slice", "str", "tuple"),
    },
    "collections": {"OrderedDict", "deque"},
    "explorer.data.dataset": {"read_elsewhere"},
    "importlib.metadata": {"EntryPoint"},
    "pathlib": {"Path", "PosixPath", "PurePath", "PurePosixPath", "WindowsPath"},
    "pathlib._local": {"Path", "PosixPath", "WindowsPath"},
    "numpy": {"dtype", "ndarray"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.numeric": {"_frombuffer"},
}
_OURS = "explorer."


class NotPlainError(ExplorerError, ValueError):
    """A message has something else than plain values in it; the sentence names it."""


def read_plain(content: bytes) -> Any:
    """Return the values of a message.

    Raises:
        NotPlainError: It has other things in it, or is damaged.
    """
    try:
        return _Unpickler(io.BytesIO(content)).load()
    except NotPlainError:
        raise
    except Exception as error:
        raise NotPlainError(
            say("A message of a child process cannot be read: {reason}.", reason=error)
        ) from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name in _PLAIN.get(module, ()):
            return super().find_class(module, name)
        if module.startswith(_OURS):
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        whole = f"{module}.{name}"
        raise NotPlainError(
            say(
                "{name} is of a class that only the plugin knows; use Python's own numbers and "
                "texts in its place.",
                name=whole,
            )
        )
