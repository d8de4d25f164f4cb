"""The catalogues of other languages: `explorer/locale/zh_CN/LC_MESSAGES/explorer.po`.

`docs/make_catalogue.py` collects the messages of the source in them, and gettext's tools can edit
them. English needs no library; other languages need Babel, which compiles a catalogue when it is
first used.
"""

import io
from collections.abc import Mapping
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from explorer.language.spoken import ENGLISH, folder

LOCALE = Path(__file__).parents[1] / "locale"
DOMAIN = "explorer"


def catalogue_file(name: str) -> Path:
    """Return where the catalogue of a language is."""
    return LOCALE / folder(name) / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def catalogue(name: str) -> NullTranslations:
    """Return the translations of a language; for English, the messages themselves."""
    if name == ENGLISH:
        return NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with catalogue_file(name).open("rb") as file:
        write_mo(compiled, read_po(file, locale=folder(name)))
    compiled.seek(0)
    return GNUTranslations(compiled)


def translated(known: NullTranslations, message: str) -> str:
    """Return what a catalogue has for a message."""
    return known.gettext(message) if message else ""  # gettext keeps a header under ""


@lru_cache
def symbols(name: str) -> Mapping[int, str]:
    """Return what stands for the comma and the point in numbers, where it is not these."""
    if name == ENGLISH:
        return {}
    from babel.numbers import get_decimal_symbol, get_group_symbol

    locale = folder(name)
    found = {",": get_group_symbol(locale), ".": get_decimal_symbol(locale)}
    return {ord(mark): own for mark, own in found.items() if own != mark}
