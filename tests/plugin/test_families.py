from pathlib import Path

from explorer.plugin.catalogue import Description
from explorer.plugin.families import families
from explorer.plugin.loading import _first_paragraph
from explorer.plugin.sources import Source, built_in
from explorer.spec import ImageSpec

OWN = Source("own", "/plugins/own.py", Path("/plugins/own.py"))
OTHER = Source("other", "/plugins/other.py", Path("/plugins/other.py"))


def described(name: str, source: Source = OWN, family: str = "") -> Description:
    return Description(
        name=name,
        options=(),
        description="",
        file="",
        source=source,
        fingerprint="0",
        images=ImageSpec(1, 28, 10),
        parameters=1,
        family=family,
    )


def test_a_family_is_called_what_its_plugin_says_before_a_colon_or_a_comma():
    said = {
        "Residual nets: a block adds: always.": ("Residual nets", "A block adds: always"),
        "Two nets, which differ.": ("Two nets", "Which differ"),
        "My nets.": ("My nets", ""),
        "": ("own", ""),
    }
    for text, expected in said.items():
        (family,) = families([described("a", family=text), described("b", family=text)])
        assert (family.title, family.line) == expected
        assert [each.name for each in family.members] == ["a", "b"]
    assert len(said) == 4


def test_a_long_title_is_cut():
    (family,) = families([described("a", family="word " * 40 + ": more")])
    assert len(family.title) <= 60
    assert family.title.endswith("…")


def test_those_named_first_come_first_then_a_user_s_own_then_the_others():
    shipped = {source.name: source for source in built_in()}
    offered = [
        described("densenet", shipped["densenet"]),
        described("plain", shipped["plain"]),
        described("residual-bn", shipped["residual"]),
        described("residual", shipped["residual"]),
        described("mine", OWN),
        described("other", OTHER),
    ]
    found = families(offered, ("residual", "plain"))
    names = [[each.name for each in family.members] for family in found]
    assert names == [["residual-bn", "residual"], ["plain"], ["mine"], ["other"], ["densenet"]]


def test_the_first_paragraph_of_a_docstring_is_one_line():
    assert _first_paragraph("Two\n    lines.\n\n    More.") == "Two lines."
    assert _first_paragraph(None) == _first_paragraph(5) == _first_paragraph("") == ""
