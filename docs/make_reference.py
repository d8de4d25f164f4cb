"""Write docs/reference.md from the docstrings: `python docs/make_reference.py`."""

import inspect
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import explorer
from explorer import hooks, lessons, testing

FILE = Path(__file__).with_name("reference.md")
# What the explorer sets, and no author.
HIDDEN = {explorer.DataSet: {"origin", "location", "target", "stamp"}}
SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|Example):\n", re.MULTILINE)
INTRODUCTION = """\
# Reference

All that a plugin may import, what lessons are made of from `explorer.lessons`: the docstrings
of the code. `python docs/make_reference.py` writes this page. How to begin is in
[Writing a plugin](writing-a-plugin.md) and [Writing a lesson](writing-a-lesson.md).
"""

GROUPS: dict[str, list[Any]] = {
    "Hooks": [explorer.hookimpl, *(getattr(hooks, name) for name in hooks.HOOKS)],
    "Networks": [
        explorer.ImageSpec,
        explorer.Range,
        explorer.Branches,
    ],
    "Data sets": [
        explorer.DataSet,
        explorer.image_folder,
        explorer.npz_file,
        explorer.torchvision_reader,
    ],
    "Lessons": [getattr(lessons, name) for name in lessons.__all__],
    "Tests": [testing.check_tests],
}


def reference() -> str:
    """Return the whole page."""
    lines = [INTRODUCTION]
    for group, members in GROUPS.items():
        lines.append(f"## {group}\n")
        for member in members:
            lines += _entry(member)
    return "\n".join(lines)


def _entry(member: Any) -> Iterable[str]:
    yield f"### `{member.__name__}`\n"
    yield f"```\n{_signature(member)}\n```\n"
    text = inspect.cleandoc(member.__doc__)
    first, *rest = SECTION.split(text)
    yield first.strip() + "\n"
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        body = inspect.cleandoc("\n" + body)
        yield f"**{title}**\n"
        items = _items(body, HIDDEN.get(member, ()))
        yield (body if title == "Example" else "\n".join(items)) + "\n"


def _signature(member: Any) -> str:
    signature = inspect.signature(member)
    plain = signature.replace(
        parameters=[
            p.replace(annotation=p.empty)
            for p in signature.parameters.values()
            if p.name not in HIDDEN.get(member, ())
        ],
        return_annotation=signature.empty,
    )
    one = re.sub(r"<function (\w+) at \w+>", r"\1", f"{member.__name__}{plain}")
    if len(one) <= 90:
        return one
    inner, shown = [], set()
    for parameter in plain.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in shown:
            inner.append("    *,")
            shown.add("*")
        inner.append(f"    {parameter},")
    return "\n".join([f"{member.__name__}(", *inner, ")"])


def _items(body: str, hidden: Collection[str]) -> Iterable[str]:
    """Make a list of `name: text`; leave text without a name as it is."""
    for item in re.split(r"\n(?=\S)", body):
        words = " ".join(item.split())
        name = re.match(r"(\w+): ", words)
        if name and name[1] not in hidden:
            yield f"- `{name[1]}`: {words[name.end() :]}"
        elif not name:
            yield words


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
