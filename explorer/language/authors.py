"""Texts of plugins' authors, in the languages in which the plugins have them."""

from collections.abc import Mapping

from explorer.language.catalogues import catalogue, translated

_known: Mapping[str, Mapping[str, str]] = {}


def learn(translations: Mapping[str, Mapping[str, str]]) -> None:
    """Know these translations of authors' texts, by language and by the text, and no others."""
    global _known
    _known = translations  # at once, since other threads read them


def one_line(text: str) -> str:
    """Return a paragraph as a key of translations: its line breaks do not count."""
    return " ".join(text.split())


def authored(name: str, text: str) -> str:
    """Return a text of an author in a language, as far as the plugin has it so.

    Of a text of several paragraphs, each that has a translation is translated. Texts of the
    explorer's own data sets and recipes may be in its catalogue.
    """
    own = catalogue(name)
    if not (known := _known.get(name)):
        return translated(own, text)
    return "\n\n".join(
        known.get(one_line(each)) or translated(own, each) for each in text.split("\n\n")
    )
