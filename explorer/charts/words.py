"""What drawings call merges and what they get of a branch that is off, and how details follow."""

from collections.abc import Sequence
from functools import reduce

from explorer.inspection.parts import when_off
from explorer.language import later, listed, say

_MERGES = {
    "sum": later("sum"),
    "concat": later("concat"),
    "stack": later("stack"),
    "product": later("product"),
    "maximum": later("maximum"),
    "matrix product": later("matrix product"),
    "write": later("write"),
    "merge": later("merge"),
}
_OFF = {"ones": later("ones"), "zeros": later("zeros")}
MOST_NAMED = 5  # things in a sentence


def detailed(parts: Sequence[str]) -> str:
    """Return what something is and what is to be known of it, at least one part."""
    return reduce(lambda first, second: say("{first}, {second}", first=first, second=second), parts)


def several(items: Sequence[str], most: int = MOST_NAMED, comma: str = "") -> str:
    """Return these items in words; of many, the first ones and how many more there are.

    Args:
        items: At least one.
        most: How many are named.
        comma: What is between them, such as `say("; ")`.
    """
    words = listed(items[:most], ",", comma)
    if len(items) <= most:
        return words
    return say("{items} and {count:,} more", items=words, count=len(items) - most)


def valued(name: str, value: str) -> str:
    """Return a name with its value, as one of several in a sentence."""
    return say("{name} {value}", name=name, value=value)


def merge_words(kind: str) -> str:
    """Return what a kind of merge is called."""
    return say(_MERGES.get(kind, kind))


def off_words(kind: str) -> str:
    """Return what a merge of a kind gets of a branch that is off."""
    return say(_OFF[when_off(kind)])
