"""Says what is wrong with a plugin: one sentence, and the lines of its own code that led there."""

import re
import traceback
from pathlib import Path

import pluggy

from explorer.hooks import HOOKS
from explorer.plugin.options import ParameterError
from explorer.plugin.sources import PluginError, Source

# What Python says where a class of networks was called without its images.
_MADE = re.compile(r"(\w+)\.__init__\(\) missing .*'images'")


def explain(error: BaseException, source: Source) -> str:
    """One sentence on what a plugin's code did wrong, for its author."""
    match error:
        case PluginError() | ParameterError():
            text = str(error)
            return text[:1].upper() + text[1:]
        case ModuleNotFoundError(name=str(name)):
            return f"It imports {name!r}, which is not installed; install it, or do without."
        case SyntaxError():
            return f"It is not valid Python: {error.msg}, line {error.lineno}."
        case SystemExit():
            return "It ends the program (sys.exit) where it should only define things; remove that."
        case pluggy.PluginValidationError():
            hook = next((hook for hook in HOOKS if hook in str(error)), HOOKS[0])
            return f"A hook must take the arguments it is given: write `def {hook}(register):`."
        case TypeError() if made := _MADE.search(str(error)):
            return (
                f"It makes a network where the class is asked for: hand over {made[1]} itself, "
                "without brackets after it."
            )
    frame = _last_own_frame(error, source)
    line = f", line {frame.lineno}" if frame else ""
    try:
        message = " ".join(str(error).split()).rstrip(".")
    except Exception:
        message = ""
    return f"It raised {type(error).__name__}{line}: {message or 'without a message'}."


def place(error: BaseException, source: Source) -> str:
    """The file and line of the plugin's own code that an error came from, or nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frame = _last_own_frame(error, source)
    return f"{frame.filename}:{frame.lineno}" if frame else ""


def own_trace(error: BaseException, source: Source) -> str:
    """The traceback without the frames of the explorer, pluggy, torch and the import system."""

    def keep_own(trace: traceback.TracebackException | None) -> bool:
        if trace is None:
            return False
        trace.stack = traceback.StackSummary.from_list(
            [frame for frame in trace.stack if _is_own(frame.filename, source)]
        )
        if not keep_own(trace.__cause__):
            trace.__cause__ = None
        if not keep_own(trace.__context__):
            trace.__context__ = None
        return bool(trace.stack or trace.__cause__ or trace.__context__)

    trace = traceback.TracebackException.from_exception(error)
    own = keep_own(trace) or isinstance(error, SyntaxError)
    return "".join(trace.format()).rstrip() if own else ""


def _last_own_frame(error: BaseException, source: Source) -> traceback.FrameSummary | None:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_own(f.filename, source)]
    return frames[-1] if frames else None


def _is_own(filename: str, source: Source) -> bool:
    return source.location is not None and Path(filename).is_relative_to(source.location)
