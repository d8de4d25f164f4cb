import threading
from pathlib import Path

from explorer.plugin.catalogue import Description
from explorer.plugin.sources import Source
from explorer.spec import ImageSpec
from explorer.ui.miniatures import Miniatures

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


def settled(miniatures: Miniatures) -> None:
    miniatures._thread.join(10)
    assert not miniatures._thread.is_alive()


def test_drawings_come_when_they_are_there_and_hold_nobody_up():
    go, asked = threading.Event(), []

    def draw(name):
        asked.append(name)
        assert go.wait(10)
        return f"<svg>{name}</svg>"

    miniatures = Miniatures(draw)
    nets = [net("a"), net("b")]
    assert miniatures.of(nets) == miniatures.of(nets) == {"a": None, "b": None}
    go.set()
    settled(miniatures)
    assert miniatures.of(nets) == {"a": "<svg>a</svg>", "b": "<svg>b</svg>"}
    assert asked == ["a", "b"]


def test_what_cannot_be_drawn_has_no_drawing_and_takes_no_other_down():
    def draw(name):
        if name == "a":
            raise ValueError("It cannot be built.")
        return name

    miniatures = Miniatures(draw)
    miniatures.of([net("a"), net("b")])
    settled(miniatures)
    assert miniatures.of([net("a"), net("b")]) == {"a": "", "b": "b"}


def test_other_code_is_drawn_again():
    drawn = []
    miniatures = Miniatures(lambda name: drawn.append(name) or str(len(drawn)))
    for code in ("1", "1", "2"):
        miniatures.of([net("a", code)])
        settled(miniatures)
    assert miniatures.of([net("a", "1"), net("a", "2")])["a"] == "2"
    assert drawn == ["a", "a"]
