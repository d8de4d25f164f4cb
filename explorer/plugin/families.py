"""Groups architectures by the plugin that offers them, for whoever chooses one."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from explorer.language import author
from explorer.plugin.catalogue import Description
from explorer.plugin.sources import Source, built_in
from explorer.text import cut

LONGEST_TITLE = 60  # characters


@dataclass(frozen=True, slots=True)
class Family:
    """Architectures of one plugin.

    Attributes:
        title: What they are.
        line: What else their plugin says of them; may be empty.
        members: The architectures, in the order in which they were registered.
    """

    title: str
    line: str
    members: tuple[Description, ...]


def families(architectures: Iterable[Description], first: Collection[str] = ()) -> list[Family]:
    """Return the families of architectures: those named first, then a user's own, then the others.

    Args:
        architectures: What is offered.
        first: Architectures whose families come first, in this order.
    """
    groups: dict[Source, list[Description]] = {}
    for each in architectures:
        groups.setdefault(each.source, []).append(each)
    shipped, ranks = set(built_in()), {name: rank for rank, name in enumerate(first)}

    def place(source: Source) -> tuple[int, bool]:
        rank = min(ranks.get(each.name, len(ranks)) for each in groups[source])
        return rank, source in shipped

    return [
        Family(*_words(groups[source][0]), tuple(groups[source]))
        for source in sorted(groups, key=place)
    ]


def _words(one: Description) -> tuple[str, str]:
    """Return title and line of a family: what is before and after a colon, or else a comma."""
    said = author(one.family).rstrip(".。")
    for mark in (": ", "：", ", ", "，"):
        title, _, line = said.partition(mark)
        if line and len(title) <= LONGEST_TITLE:
            return title, line[0].upper() + line[1:]
    return cut(said, LONGEST_TITLE) or one.source.name, ""
