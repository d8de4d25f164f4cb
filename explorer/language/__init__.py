"""Says sentences in the reader's language: English, or one with a catalogue in `explorer/locale/`.

The source is English. `say` returns a sentence in the language that is spoken where it is called; a
thread or a process that speaks none says it in English. A `Sentence` knows how it was said, so that
who shows it, in another thread, process or language, can have it said `again`.
"""

from explorer.language.authors import learn, one_line
from explorer.language.catalogues import catalogue_file
from explorer.language.records import recognise
from explorer.language.sentences import (
    Recorded,
    Sentence,
    again,
    author,
    bare,
    capital,
    english,
    later,
    listed,
    plural,
    say,
    small,
)
from explorer.language.spoken import (
    ENGLISH,
    LANGUAGES,
    ask,
    current,
    folder,
    follow_environment,
    match,
    speak,
    speaking,
)

__all__ = [
    "ENGLISH",
    "LANGUAGES",
    "Recorded",
    "Sentence",
    "again",
    "ask",
    "author",
    "bare",
    "capital",
    "catalogue_file",
    "current",
    "english",
    "folder",
    "follow_environment",
    "later",
    "learn",
    "listed",
    "match",
    "one_line",
    "plural",
    "recognise",
    "say",
    "small",
    "speak",
    "speaking",
]
