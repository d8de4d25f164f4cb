"""Everything that a plugin author imports.

A plugin is a Python file with a class and one hook; `docs/writing-a-plugin.md` shows a whole one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from explorer.hooks import hookimpl
from explorer.plugin.options import Range
from explorer.spec import ImageSpec

if TYPE_CHECKING:
    from explorer.branches import Branches
    from explorer.data.dataset import DataSet
    from explorer.data.readers import image_folder, npz_file, torchvision_reader

__version__ = "0.1.0"  # the only place: pyproject.toml reads it from here

__all__ = [
    "Branches",
    "DataSet",
    "ImageSpec",
    "Range",
    "hookimpl",
    "image_folder",
    "npz_file",
    "torchvision_reader",
]

# Importing torch takes a second or more; the parts of the package that do without it
# (`explorer --help`, the store) should not pay for it.
_LATE = {
    "Branches": "branches",
    "DataSet": "data.dataset",
    "image_folder": "data.readers",
    "npz_file": "data.readers",
    "torchvision_reader": "data.readers",
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module(f"explorer.{_LATE[name]}"), name)
    raise AttributeError(f"module 'explorer' has no attribute {name!r}")
