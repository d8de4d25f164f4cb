"""Components say nothing of their own: Python gives them their words, in the reader's language."""

import ast
import re
from pathlib import Path

import pytest

import explorer

COMPONENTS = Path(explorer.__file__).parent / "ui" / "components"
# Lanes, drawings and tables.
SHARED = Path(explorer.__file__).parent / "charts" / "browser.py"
SCRIPTS = sorted(COMPONENTS.glob("*.js"))
# Two words, the second of them a small one, a word beside a value, or one as a label begins.
PROSE = re.compile(r"[A-Za-z]{2,},? [a-z]{2,}|\b[a-z]{2,} �|�,? [a-z]{2,}|^\W*[A-Z][a-z]{2,}\W*$")
# A selector, or a function.
CSS = re.compile(r"^\.[a-z]|\w\(|\[\w+[=\]]|^[a-z0-9]+(?:, [a-z0-9]+)+$")
READ_BY_NOBODY = {
    # Keys of a keyboard, and kinds of steps.
    *("Enter", "Escape", "Home", "End", "Delete", "Backspace", "ArrowUp", "ArrowDown"),
    *("Weighted", "Pooled", "Normalised", "Pointwise", "Merged", "Copied", "SwitchedOff"),
    # Names of values, of what is kept, of classes, and what only a console shows.
    *("ramp of weights", "end of weights", "scale of sources", "use strict"),
    *("� �px �", "explorer drawing �", "faint facts", "where faint", "link faint", "label link"),
    "Plotly's library could not be loaded.",
}


def names(file: Path) -> set[str]:
    """All keys of the dictionaries in a module."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Dict):
            found |= {key.value for key in node.keys if isinstance(key, ast.Constant)}
    return found


def code(file: Path) -> str:
    return re.sub(r"(?m)(^|\s)//.*$", "", file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_component_has_every_word_that_its_script_asks_for(script):
    text = code(script)
    asked = {*re.findall(r"\bwords\.(\w+)\b(?!\()", text), *re.findall(r'\bsay\("(\w+)"', text)}
    own = script.with_suffix(".py")
    assert asked <= (names(own) if own.exists() else set()) | names(SHARED)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_has_no_words_of_its_own(script):
    found = re.findall(r'"([^"\n]*)"|`([^`]*)`', code(script))
    texts = {re.sub(r"\$\{[^}]*\}", "�", one or other) for one, other in found}
    prose = {text for text in texts if PROSE.search(text) and not CSS.search(text)}
    assert prose - READ_BY_NOBODY == set()


def test_words_of_a_script_are_found():
    """The test above can fail."""
    for text in ("Save as PNG", "Close", "row �, column �", "This channel is on", "▶ Play"):
        assert PROSE.search(text), text
        assert not CSS.search(text), text
