"""Errors that are sentences for a person, and sentences for the errors of other people's code.

Every error of the explorer derives from `ExplorerError`, so a page and a command line need to know
one class only.
"""

import re
import sysconfig
import traceback
from pathlib import Path

from explorer.language import Sentence, bare, capital, english, say
from explorer.text import cut, on_one_line

_PACKAGE = Path(__file__).parent
_PYTHON = Path(sysconfig.get_path("stdlib"))
LONGEST_MESSAGE = 1_000  # characters of another's message that a sentence repeats
LONGEST_NAME = 80  # characters of the name of an error's class
LONGEST_TRACE = 50_000  # characters of a traceback, the last ones

# Within these, the author's network is built, run, differentiated or updated, even if no line of
# the traceback is the author's: an `nn.Sequential` has no `forward` of its own.
_NETWORK = ("/torch/nn/", "/torch/_tensor.py", "/torch/autograd/", "/torch/optim/")

# What the explorer calls for its own purposes; whoever called it answers for its errors.
_LIBRARIES = (
    *("captum", "numpy", "PIL", "platformdirs", "pluggy", "psutil", "pydantic"),
    *("safetensors", "sqlalchemy", "torch"),
)

# What an author calls; whoever called it answers for its errors.
_INTERFACE = (
    *("__init__.py", "branches.py", "spec.py", "testing.py"),
    *("data/dataset.py", "data/readers.py", "plugin/options.py"),
)

# Functions that call the author's code, or that it calls. Where it cannot be called so, or gives
# what cannot be used, Python raises the error in these, or in what they call in their own module.
DOORS = {
    "data/cache.py": ("_read",),
    "inspection/watching.py": ("run",),
    "plugin/architecture.py": ("build", "try_out", "_build"),
    "plugin/constructor.py": ("call", "_call"),
    "plugin/loading.py": ("load_plugin", "register_architecture", "register_dataset"),
    "plugin/sources.py": ("import_plugin",),
}

# What torch says on a CPU, and on devices that have no error class for it.
_NO_MEMORY = re.compile("memory: you tried to allocate")
# What its batch normalisation says of a batch of one image, if the image has one value a channel.
_ONE_VALUE = re.compile("Expected more than 1 value per channel when training")
_NO_DEVICE_MEMORY = re.compile("out of memory", re.IGNORECASE)


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
    if isinstance(error, ExplorerError):
        return capital(str(error))
    if isinstance(error, MemoryError) or _says(error, _NO_MEMORY):
        return say("There is not enough memory; take a smaller batch or a smaller network.")
    if _is_torchs(error) or _says(error, _NO_DEVICE_MEMORY):
        return say("The device is out of memory; take a smaller batch or a smaller network.")
    if is_ours(error, location):
        return explain_ours(error)
    match error:
        case ModuleNotFoundError(name=str(name)):
            return say(
                "It imports {name!r}, which is not installed; install it, or do without.", name=name
            )
        case SyntaxError():
            return say(
                "It is not valid Python: {reason}, line {line}.",
                reason=error.msg,
                line=error.lineno,
            )
        case SystemExit():
            return say(
                "It ends the program (sys.exit) where it should only define things; remove that."
            )
    frame = _last_own_frame(error, location)
    line = frame.lineno if frame else None
    if _says(error, _ONE_VALUE, ValueError):
        if line is None:
            return say(
                "Its batch normalisation gets one value per channel, of which there is no spread: "
                "take batches of 3 images or more and at least 2 training images, or give it maps "
                "of 2×2 or more."
            )
        return say(
            "Its batch normalisation in line {line} gets one value per channel, of which there is "
            "no spread: take batches of 3 images or more and at least 2 training images, or give "
            "it maps of 2×2 or more.",
            line=line,
        )
    # An author's code may give a class any name.
    name, reason = cut(on_one_line(type(error).__name__), LONGEST_NAME), message_of(error)
    if line is None:
        return say("It raised {name}: {reason}.", name=name, reason=reason)
    return say("It raised {name}, line {line}: {reason}.", name=name, line=line, reason=reason)


def explain_ours(error: BaseException) -> str:
    """Say in one sentence that the explorer itself failed, and where."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _ours(f.filename)]
    name, reason = type(error).__name__, message_of(error)
    if not frames:
        return say(
            "The explorer itself failed, not a plugin: {name}: {reason}. Please report it with the "
            "traceback.",
            name=name,
            reason=reason,
        )
    return say(
        "The explorer itself failed, not a plugin: {name} in {file}, line {line}: {reason}. Please "
        "report it with the traceback.",
        name=name,
        file=_ours(frames[-1].filename),
        line=frames[-1].lineno,
        reason=reason,
    )


def message_of(error: BaseException) -> str:
    """Return an error's message on one line, without the full stop at its end, and not too long."""
    try:
        text = on_one_line(str(error))
    except Exception:  # the author's own class may fail even here
        text = ""
    return bare(cut(text, LONGEST_MESSAGE)) or say("without a message")


def is_ours(error: BaseException, location: Path | None) -> bool:
    """Return whether an error is a fault of the explorer's code, or of how it uses a library.

    Whose it is decides the innermost frame that is somebody's: the author's, the network's or the
    explorer's. So it is the author's where the network runs, and ours where a hook of ours in that
    network raises.

    Args:
        error: As it was caught, with its traceback.
        location: The plugin's file or folder.
    """
    inside = ""  # the module of ours that the error was raised in
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename).as_posix()
        ours = _ours(path)
        if inside and ours != inside:
            return True
        if _is_own(path, location) or any(part in path for part in _NETWORK):
            return False
        if frame.name in ("__torch_function__", "__torch_dispatch__"):
            continue  # it runs what another calls
        if frame.name in DOORS.get(ours, ()):
            return False
        if ours and ours not in _INTERFACE:
            inside = ours
        elif not ours and not _is_library(path):
            return False  # a package that the author uses
    return bool(inside)


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
    """Return the traceback with all frames and causes, in English; of a very long one, the end."""
    trace = in_english("".join(traceback.format_exception(error)), error)
    return trace.rstrip()[-LONGEST_TRACE:]


def in_english(trace: str, error: BaseException | None) -> str:
    """Return a traceback in which errors of ours say in English what they said in a language."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, ExplorerError) and isinstance(said := str(error), Sentence):
            trace = trace.replace(said, english(said))
        error = error.__cause__ or error.__context__
    return trace


def _says(
    error: BaseException, pattern: re.Pattern[str], kind: type[Exception] = RuntimeError
) -> bool:
    return isinstance(error, kind) and pattern.search(message_of(error)) is not None


def _is_torchs(error: BaseException) -> bool:
    """Return whether it is a `torch.OutOfMemoryError`, which nothing here may import."""
    return any(cls.__name__ == "OutOfMemoryError" for cls in type(error).__mro__)


def _last_own_frame(error: BaseException, location: Path | None) -> traceback.FrameSummary | None:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_own(f.filename, location)]
    return frames[-1] if frames else None


def _is_own(filename: str, location: Path | None) -> bool:
    return location is not None and Path(filename).is_relative_to(location)


def _ours(filename: str) -> str:
    """Return the path of a module of the explorer within its package, or nothing."""
    path = Path(filename)
    return path.relative_to(_PACKAGE).as_posix() if path.is_relative_to(_PACKAGE) else ""


def _is_library(path: str) -> bool:
    """Return whether a file belongs to Python itself or to a library that the explorer calls."""
    if path.startswith("<"):  # an import that fails here is the plugin's; ours leave no such frame
        return not path.startswith(("<frozen importlib", "<string>", "<stdin>"))
    _, found, inside = path.rpartition("-packages/")  # of site-packages, dist-packages
    if found:
        return inside.partition("/")[0] in _LIBRARIES
    return Path(path).is_relative_to(_PYTHON)
