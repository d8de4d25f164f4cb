"""Wording that several rooms share."""

import difflib
from collections.abc import Iterable, Sequence


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown `name`: what was meant, or what there is."""
    names = list(known)
    if close := difflib.get_close_matches(name, names, n=1):
        return f"did you mean {close[0]!r}?"
    if not names:
        return "there is none."
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(names)}."


def dimensions(shape: Sequence[int]) -> str:
    """Write a shape: `1×28×28`."""
    return "×".join(map(str, shape))


def percent(share: float) -> str:
    """Write a probability, 0–1, in percent; never as 100 %, since a softmax never gives 1."""
    return f"{100 * share:.1f} %" if share < 0.9995 else ">99.9 %"


def cut(text: str, room: int) -> str:
    """Shorten `text` to `room` characters, the last of them an ellipsis."""
    return text if len(text) <= room else text[: max(1, room - 1)] + "…"
