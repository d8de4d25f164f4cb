"""The catalogues are complete and true, and no text of the source is outside them."""

import re
import string
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from literals import LONGEST, UNREAD, literals

from explorer.language import ENGLISH, LANGUAGES, catalogue_file, folder
from explorer.language.sentences import has_plain_places

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))
import make_catalogue  # noqa: E402

OTHERS = [name for name in LANGUAGES if name != ENGLISH]


def entries(name: str) -> Iterator:
    """Yield the messages of a catalogue with their translations."""
    with catalogue_file(name).open("rb") as file:
        yield from (entry for entry in read_po(file, locale=folder(name)) if entry.id)


def forms(text) -> list[str]:
    return list(text) if isinstance(text, tuple | list) else [text]


def places(text: str) -> set[str]:
    """Return the named places of a message, or the whole text where braces mean nothing."""
    return {name for _, name, *_ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("name", OTHERS)
def test_a_catalogue_has_the_messages_of_the_source_and_no_others(name):
    assert make_catalogue.updated(name) == catalogue_file(name).read_bytes(), (
        "run: python docs/make_catalogue.py"
    )


@pytest.mark.parametrize("name", OTHERS)
def test_no_message_is_missing_or_fuzzy(name):
    left = [
        entry.id
        for entry in entries(name)
        if entry.fuzzy or not all(forms(entry.string)) or not forms(entry.string)
    ]
    assert left == []


@pytest.mark.parametrize("name", OTHERS)
def test_translations_have_the_places_of_their_messages(name):
    wrong = {}
    for entry in entries(name):
        wanted = set().union(*map(places, forms(entry.id)))
        if any(places(text) != wanted for text in forms(entry.string)):
            # In Chinese, the form for one may leave its number out, as English does.
            wrong[str(entry.id)] = entry.string
    assert wrong == {}


@pytest.mark.parametrize("name", OTHERS)
def test_translations_keep_the_marks_of_their_messages(name):
    """Markdown, tags and code stay: what is emphasised in one language is in the other."""

    def marks(text: str) -> list[str]:
        found = re.findall(r"</?[a-z]+|`[^`]*`|:material/\w+:|%\{[^}]*\}|\*\*", text)
        return sorted(found)

    wrong = {
        str(entry.id): entry.string
        for entry in entries(name)
        if marks(forms(entry.id)[-1]) != marks(forms(entry.string)[-1])
    }
    assert wrong == {}


def test_no_text_of_the_source_is_outside_the_catalogues():
    found = [
        f"{each.file.relative_to(ROOT)}:{each.line}: {each.text}"
        for file in sorted((ROOT / "explorer").rglob("*.py"))
        for each in literals(file)
        if each.text[:LONGEST] not in UNREAD.get(str(file.relative_to(ROOT / "explorer")), ())
    ]
    assert found == []


def test_a_text_outside_the_catalogues_is_found(tmp_path):
    file = tmp_path / "page.py"
    file.write_text(
        'import st\n\n\ndef page(n):\n    """Show the page."""\n    st.write("Hello to you")\n'
        '    st.button(f"Stop {n} runs", key="some key")\n    st.caption(say("Said to all"))\n'
        "    st.title(f'# {say(\"Lost\")}')\n"
    )
    found = [each.text for each in literals(file)]
    assert found == ["Hello to you", "Stop \ufffd runs", "Lost"]


@pytest.mark.parametrize("name", OTHERS)
def test_places_are_plain_names(name):
    """A message of another form would not be filled; see `has_plain_places`."""
    odd = [
        text
        for entry in entries(name)
        for text in (*forms(entry.id), *forms(entry.string))
        if any(map(str.isidentifier, places(text))) and not has_plain_places(text)
    ]
    assert odd == []
