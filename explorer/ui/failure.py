"""What a page shows in place of what failed.

The operator, and everyone at home, sees the traceback. A visitor sees a sentence and a reference
number, and the log has that number with the traceback.
"""

import logging
import re
import secrets
import site
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path, PurePath

import streamlit as st

from explorer.errors import ExplorerError, explain, full_trace, is_ours
from explorer.language import again, say
from explorer.ui.http.visitors import visitor
from explorer.ui.words import plain

_log = logging.getLogger(__name__)


def show(error: Exception) -> bool:
    """Show what the page, a fragment or a callback raised, as a sentence; Streamlit calls it.

    A fault of the explorer says so, with the traceback folded below, and is logged.

    Returns:
        True, so that Streamlit shows nothing itself.
    """
    if isinstance(error, ExplorerError):
        st.error(sentence(error))
        return True
    reference = secrets.token_hex(4)
    _log.error("A page failed (%s)", reference, exc_info=error, extra={"reference": reference})
    if not sees_everything():
        st.error(
            say(
                "Something failed here, and what is around it still works. Reference {reference}: "
                "whoever runs this app finds the cause by it in the log.",
                reference=reference,
            ),
            icon=":material/error:",
        )
        return True
    words = explain(error, None)
    if not is_ours(error, None):
        words = say("The code of a plugin failed here. {reason}", reason=words)
    st.error(plain(words), icon=":material/error:")
    details(full_trace(error))
    return True


def details(trace: str, output: str = "") -> None:
    """Show a traceback and what was printed, folded, to who may see them; nothing if empty."""
    if not sees_everything():
        return
    if trace:
        with st.expander(say("Technical details")):
            st.code(trace, language=None, wrap_lines=True)
    if output:
        with st.expander(say("What it printed")):
            st.code(output, language=None, wrap_lines=True)


def sees_everything() -> bool:
    """Return whether who has this page open may see tracebacks, sources and paths."""
    try:
        return visitor().is_operator
    except ExplorerError:  # the settings cannot be used, so nobody can be told apart
        return False


def sentence(text: object) -> str:
    """Return, as Markdown, a sentence as who has this page open may see it: text, and no more."""
    return plain(for_visitor(again(text)))


def for_visitor(text: str) -> str:
    """Return a text as who has this page open may see it: a visitor, without where files are."""
    return text if sees_everything() else without_folders(text)


def shown_path(path: PurePath | str) -> str:
    """Return a path as who has this page open may see it: a visitor, its last part."""
    return str(path) if sees_everything() else PurePath(path).name


def without_folders(text: str) -> str:
    """Return a text in which each absolute path is its last part, and a database nameless."""
    text = _DATABASE.sub(r"\1://…", text)
    for folder in _known_folders():
        # Also one with a space in its name, of which the pattern below cannot know the end.
        text = text.replace(folder, folder[-1])
    return _ABSOLUTE.sub(_last_part, text)


_CHINESE = "，。、：；！？（）《》“”‘’"  # marks that may come after an address, without a space
_DATABASE = re.compile(
    rf"(?<![A-Za-z0-9_])(?!https?:|file:)([a-z][a-z0-9+.-]*)://[^\s,;{_CHINESE}]+"
)


# From a slash, or a drive's letter, that nothing of a word is before; not the one of https://, and
# not the division in 1/2. In Chinese a word may be before it, without a space.
_ABSOLUTE = re.compile(
    rf"""(?:(?<![\w/\\.:…)*\]-])|(?<=[\u3400-\u9fff])(?=[A-Za-z]:|/[A-Za-z0-9_.-]+/|~/|\\\\|file:))"""
    rf"""(?:file://)?(?:[A-Za-z]:[\\/]|/|~/|\\\\)(?:[^\s"'`<>|:;,()\[\]{{}}{_CHINESE}]+)"""
)


def _last_part(found: re.Match[str]) -> str:
    # A sentence may end after a path.
    path = found[0].rstrip("./\\")
    return re.split(r"[\\/]", path)[-1] + ("." if found[0].endswith(".") else "")


def _known_folders() -> Iterator[str]:
    """Yield the folders in which this program and its user's files are, the deepest first."""
    folders = {
        *(str(Path(each)) for each in sys.path if Path(each).is_absolute()),
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib", "data")),
        *site.getsitepackages(),
        str(Path.home()),
        str(Path.cwd()),
        str(Path(__file__).parents[2]),
    }
    for folder in sorted(folders, key=len, reverse=True):
        if len(Path(folder).parts) > 1:  # not the root, of which every path is made
            yield folder.rstrip("/\\") + "/"
            yield folder.rstrip("/\\") + "\\"
