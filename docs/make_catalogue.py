"""Collect the messages of the source into each catalogue: `python docs/make_catalogue.py`.

What is new or was changed gets an empty translation, and what is gone is removed. The tests want no
empty one.
"""

from collections import defaultdict
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from explorer.language import ENGLISH, LANGUAGES, catalogue_file, folder

ROOT = Path(__file__).parent.parent
HEADER = "# What the Architecture Explorer says, in another language; MIT."
KEYWORDS = {"say": None, "later": None, "plural": (1, 2)}


def collected() -> Catalog:
    """Return all messages of the source."""
    places = defaultdict[str | tuple[str, ...], set[str]](set)
    for name, _, message, *_ in extract_from_dir(
        ROOT / "explorer", method_map=[("**.py", "python")], keywords=KEYWORDS
    ):
        places[message].add(f"explorer/{name}")
    found = Catalog(project="Architecture Explorer", charset="utf-8")
    for message in sorted(places, key=lambda each: sorted(places[each])):
        found.add(message, locations=[(file, 0) for file in sorted(places[message])])
    return found


def written(catalogue: Catalog) -> bytes:
    """Return a catalogue as its file has it."""
    file = BytesIO()
    # Lines of code would change the file with every edit.
    write_po(file, catalogue, width=100, ignore_obsolete=True, include_lineno=False)
    return file.getvalue()


def updated(name: str) -> bytes:
    """Return the catalogue of a language with the messages of the source."""
    path = catalogue_file(name)
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=folder(name))
    else:
        catalogue = Catalog(locale=folder(name), project="Architecture Explorer", charset="utf-8")
    catalogue.header_comment, catalogue.fuzzy = HEADER, False
    catalogue.version = catalogue.msgid_bugs_address = ""
    catalogue.last_translator = catalogue.language_team = ""
    catalogue.revision_date = catalogue.creation_date
    catalogue.update(collected(), no_fuzzy_matching=True, update_creation_date=False)
    return written(catalogue)


def main() -> None:
    """Write the catalogues."""
    for name in LANGUAGES:
        if name != ENGLISH:
            catalogue_file(name).parent.mkdir(parents=True, exist_ok=True)
            catalogue_file(name).write_bytes(updated(name))


if __name__ == "__main__":
    main()
