"""Everything that a plugin author imports.

A plugin is a Python file with a class and one hook; `docs/writing-a-plugin.md` shows a whole one.
"""

from typing import TYPE_CHECKING, Any

from explorer.hooks import hookimpl
from explorer.parameters import Range
from explorer.spec import ImageSpec

if TYPE_CHECKING:
    from explorer.branches import Branches, add, concat

__all__ = ["Branches", "ImageSpec", "Range", "add", "concat", "hookimpl"]


def __getattr__(name: str) -> Any:
    # Importing torch takes a second or more; the parts of the package that do without it
    # (`explorer --help`, the store) should not pay for it.
    if name in {"Branches", "add", "concat"}:
        from explorer import branches

        return getattr(branches, name)
    raise AttributeError(f"module 'explorer' has no attribute {name!r}")
