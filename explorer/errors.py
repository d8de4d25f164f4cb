"""Errors that are sentences for a person, and sentences for the errors of other people's code.

Every error of the explorer derives from `ExplorerError`, so that a page and a command line need to
know one class only.
"""

import traceback
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

_PACKAGE = Path(__file__).parent

# Below these, the author's network is running, even if no line of the traceback is the author's
# own: an `nn.Sequential` has no `forward` that could be named.
_NETWORK = ("/torch/nn/modules/module.py", "/torch/_tensor.py", "/torch/autograd/")

# What the explorer calls.
_LIBRARIES = ("/torch/", "/numpy/", "/PIL/", "/safetensors/", "/sqlalchemy/", "/captum/")


class ExplorerError(Exception):
    """Something that was asked for cannot be done.

    The message is a sentence for a person: what is wrong, and what would be right.
    """


def explain(error: BaseException, location: Path | None) -> str:
    """Say in one sentence what went wrong, and whose code it was.

    Args:
        error: Raised by a plugin's code, or by the explorer while it ran that code.
        location: The plugin's file or folder.
    """
    match error:
        case ExplorerError():
            text = str(error)
            return text[:1].upper() + text[1:]
        case ModuleNotFoundError(name=str(name)):
            return f"It imports {name!r}, which is not installed; install it, or do without."
        case SyntaxError():
            return f"It is not valid Python: {error.msg}, line {error.lineno}."
        case SystemExit():
            return "It ends the program (sys.exit) where it should only define things; remove that."
        case MemoryError():
            return "There is not enough memory; take a smaller batch or a smaller network."
    if type(error).__name__ == "OutOfMemoryError":  # torch's own, which nothing here may import
        return "The device is out of memory; take a smaller batch or a smaller network."
    message = message_of(error)
    if is_ours(error, location):
        last = traceback.extract_tb(error.__traceback__)[-1]
        return (
            f"The explorer itself failed, not the plugin: {type(error).__name__} in "
            f"{Path(last.filename).name}, line {last.lineno}: {message}. Please report it; the "
            "log has the traceback."
        )
    frame = _last_own_frame(error, location)
    line = f", line {frame.lineno}" if frame else ""
    return f"It raised {type(error).__name__}{line}: {message}."


def message_of(error: BaseException) -> str:
    """Return an error's message on one line, without the full stop at its end."""
    try:
        return " ".join(str(error).split()).rstrip(".") or "without a message"
    except Exception:  # the author's own class may fail even here
        return "without a message"


def is_ours(error: BaseException, location: Path | None) -> bool:
    """Tell whether an error is a fault of the explorer's code, or of how it uses a library.

    It is the author's if the author's code or network was running when it was raised.
    """
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if any(_is_own(file, location) or _is_within(file, _NETWORK) for file in files):
        return False
    return bool(files) and (_is_explorer(files[-1]) or _is_within(files[-1], _LIBRARIES))


def place(error: BaseException, location: Path | None) -> str:
    """Return the file and line of the plugin's own code that an error came from, or nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frame = _last_own_frame(error, location)
    return f"{frame.filename}:{frame.lineno}" if frame else ""


def own_trace(error: BaseException, location: Path | None) -> str:
    """Return the traceback without the frames that are not the plugin's own; may be empty."""

    def keep_own(trace: traceback.TracebackException | None) -> bool:
        if trace is None:
            return False
        trace.stack = traceback.StackSummary.from_list(
            [frame for frame in trace.stack if _is_own(frame.filename, location)]
        )
        if not keep_own(trace.__cause__):
            trace.__cause__ = None
        if not keep_own(trace.__context__):
            trace.__context__ = None
        return bool(trace.stack or trace.__cause__ or trace.__context__)

    trace = traceback.TracebackException.from_exception(error)
    own = keep_own(trace) or isinstance(error, SyntaxError)
    return "".join(trace.format()).rstrip() if own else ""


def full_trace(error: BaseException) -> str:
    """Return the whole traceback, for a log."""
    frames: TracebackType | None = error.__traceback__
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip()


def _last_own_frame(error: BaseException, location: Path | None) -> traceback.FrameSummary | None:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_own(f.filename, location)]
    return frames[-1] if frames else None


def _is_own(filename: str, location: Path | None) -> bool:
    return location is not None and Path(filename).is_relative_to(location)


def _is_explorer(filename: str) -> bool:
    return Path(filename).is_relative_to(_PACKAGE)


def _is_within(filename: str, places: Iterable[str]) -> bool:
    path = Path(filename).as_posix()
    return any(place in path for place in places)
