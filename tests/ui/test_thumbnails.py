import threading
from pathlib import Path

from explorer.plugin.catalogue import Description
from explorer.plugin.sources import Source
from explorer.spec import ImageSpec
from explorer.ui.thumbnails import Thumbnails

SOURCE = Source("own", "own.py", Path("own.py"))


def net(name: str, code: str = "0") -> Description:
    return Description(
        name=name,
        options=(),
        description="",
        file="",
        source=SOURCE,
        fingerprint=code,
        images=ImageSpec(1, 28, 10),
        parameters=1,
    )


def settled(thumbnails: Thumbnails) -> None:
    thumbnails._thread.join(10)
    assert not thumbnails._thread.is_alive()


def test_drawings_come_when_they_are_there_and_hold_nobody_up():
    go, asked = threading.Event(), []

    def draw(name):
        asked.append(name)
        assert go.wait(10)
        return f"<svg>{name}</svg>"

    thumbnails = Thumbnails(draw)
    nets = [net("a"), net("b")]
    assert thumbnails.of(nets) == thumbnails.of(nets) == {"a": None, "b": None}
    go.set()
    settled(thumbnails)
    assert thumbnails.of(nets) == {"a": "<svg>a</svg>", "b": "<svg>b</svg>"}
    assert asked == ["a", "b"]


def test_what_cannot_be_drawn_has_no_drawing_and_takes_no_other_down():
    def draw(name):
        if name == "a":
            raise ValueError("It cannot be built.")
        return name

    thumbnails = Thumbnails(draw)
    thumbnails.of([net("a"), net("b")])
    settled(thumbnails)
    assert thumbnails.of([net("a"), net("b")]) == {"a": "", "b": "b"}


def test_other_code_is_drawn_again():
    drawn = []
    thumbnails = Thumbnails(lambda name: drawn.append(name) or str(len(drawn)))
    for code in ("1", "1", "2"):
        thumbnails.of([net("a", code)])
        settled(thumbnails)
    assert thumbnails.of([net("a", "1"), net("a", "2")])["a"] == "2"
    assert drawn == ["a", "a"]
