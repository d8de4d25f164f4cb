"""Hostile addresses, uploads, settings, plugins and files of weights, many of them.

    python tests/fuzz.py addresses --cases 10000

Each case is made from its seed and its number alone, so a run can be continued (`--first`), and a
case repeated by itself. What may be said is an error of ours, a sentence; anything else is a
finding and is printed. The suite runs a few cases of each kind (`tests/ui/test_addresses.py`,
`tests/test_fuzz.py`).
"""

import argparse
import contextlib
import io
import json
import os
import pickle
import random
import struct
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

KINDS = ("addresses", "uploads", "settings", "plugins", "imports")

# --- texts

MARKUP = [
    "[Log in again](https://evil.example)",
    "`]`[Log in](https://evil.example)",
    "``x` [y](https://evil.example) `",
    "![](https://evil.example/x.png)",
    "<a href='https://evil.example'>x</a>",
    "<img src=https://evil.example/x onerror=alert(1)>",
    "https://evil.example www.evil.example",
    "a@evil.example",
    ":red[evil.example] :smile: :material/home:",
    "$\\href{https://evil.example}{x}$",
    "**evil.example**",
    "\n\n# evil.example\n\n- a",
]
ODD = [
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "\x1b[31m",
        "\r\n",
        "\u202eevil",
        "\u200b",
        "\ufeff",
        "\ud800",
        "\udfff",
    ),
    *("\U0010ffff", "\U0001f600" * 50, "e" + "\u0301" * 500, "ﬀ", "İ", "𝟘", "٣", "-٣"),
    *("../../../etc/passwd", "..", "/etc/passwd", "C:\\x", "file:///etc/passwd", "%00", "%2e%2e/"),
    *("None", "null", "undefined", "NaN", "true", "TRUE", "false", "[]", "{}", "[object Object]"),
    *(
        "' OR 1=1 --",
        "'; DROP TABLE runs; --",
        "${7*7}",
        "{{7*7}}",
        "{0.__class__}",
        "%s%n",
        "$(id)",
    ),
    *("__proto__", "constructor", "__class__", "a" * 5000, "=" * 300, "&" * 20, "?", "#", "+", "%"),
]
NUMBERS = [
    *("0", "-0", "1", "-1", "2", "10", "60000", "0.5", "1e400", "-1e400", "1e300", "nan", "-nan"),
    *(
        "inf",
        "-inf",
        "Infinity",
        "1e-400",
        "9" * 5000,
        "-" + "9" * 400,
        "1_000",
        "0x10",
        "1e",
        "1e5",
    ),
    *("2147483648", "9223372036854775808", "-9223372036854775809", "18446744073709551616"),
    *("0.1", "1e308", "5e-324", " 5 ", "5\n", "+5", "1,000", "²", "1.0000000000000000001"),
]


def text(chance: random.Random) -> str:
    """Return a hostile text."""
    pick = chance.random()
    if pick < 0.3:
        return chance.choice(MARKUP)
    if pick < 0.5:
        return chance.choice(ODD)
    if pick < 0.8:
        return chance.choice(NUMBERS)
    if pick < 0.9:
        return "".join(chance.choice([*MARKUP, *ODD[:40], *NUMBERS]) for _ in range(3))
    codes = (chance.choice((0x7F, 0xFF, 0xFFFF, 0x10FFFF)) for _ in range(chance.randrange(12)))
    return "".join(chr(chance.randint(0, most)) for most in codes)


# --- addresses

PAGES = ("", "train", "inside", "runs", "plugins", "operator", "glossary")
KEYS = {
    "": ("about", "predict", "residual.deeper.layers", "inception.looks.run"),
    "train": ("run", "architecture", "dataset", "recipe", "x"),
    "inside": (
        *("net", "other", "epoch", "source", "filter", "image", "drawing", "picture", "off"),
        *("part", "scale", "ask", "instead", "shares", "class", "cam", "filters"),
        *("excites", "channel", "donor", "patch"),
        *("map", "unit", "sort", "cell"),
    ),
    "plugins": ("show",),
    "glossary": ("term",),
}
ANYWHERE = (
    *("embed", "embed_options", "lang", "big", "lesson", "page", "theme", "run", "net", "show"),
    "",
)


class App:
    """The app's script, run in this process as its server runs it, for one visit after another."""

    def __init__(self) -> None:
        from streamlit.testing.v1 import AppTest

        from explorer.training.recipe import OPTIONS, PRESETS
        from explorer.ui import state

        self._script = str(Path(__file__).parents[1] / "explorer" / "ui" / "entry" / "script.py")
        first = AppTest.from_file(self._script, default_timeout=300).run()
        assert not first.exception
        catalogue, examples = state.catalogue(), state.example_runs()
        self.values = {
            "about": [*catalogue.lessons, "all"],
            "predict": ["true", "false"],
            "lang": ["en", "zh-CN"],
            "big": ["1", "true"],
            "term": ["skip", "kernel"],
            "architecture": list(catalogue.architectures),
            "dataset": list(catalogue.datasets),
            "recipe": list(PRESETS),
            "x": ["epochs", "seconds"],
            "show": [*catalogue.architectures, "mnist (data)"],
            "run": [run.id for run in examples],
            "net": [run.id for run in examples],
            "other": [run.id for run in examples],
            "epoch": ["1", "3", "10"],
            "ask": [
                *("Branches", "Pixels", "Filters", "Gradients", "Cost", "Linearity", "Mistakes"),
                *("Excites", "Patching"),
            ],
            "excites": ["conv1", "incep1", "incep1.branch5x5", "fc"],
            "channel": ["0", "3", "87", "88"],
            "donor": ["0", "1", "9999", "10000"],
            "map": ["conv1:3", "incep1:0", "incep1.branch5x5:99", "image:0"],
            "unit": ["4,7", "0,0", "99,99"],
            "sort": ["index", "norm", "likeness"],
            "cell": ["7-2", "7-7", "0-99"],
            "patch": ["conv1", "incep1.branch1x1", "incep2"],
            "filter": ["classified incorrectly", "least confident", "7"],
            "source": ["Test set", "Draw", "Upload"],
            "scale": ["map", "layer", "model"],
            "image": ["0", "7", "9999", "10000"],
            "off": ["incep1.branch1x1", "incep1.branch5x5_2", "conv1:3", "conv1:99"],
            "part": ["incep1", "incep2", "conv1", "input"],
        }
        recipes = [f"{preset}.{option.name}" for preset in PRESETS for option in OPTIONS]
        own = [f"{a}.{o.name}" for a, each in catalogue.architectures.items() for o in each.options]
        self.keys = {**KEYS, "train": (*KEYS["train"], *recipes, *own)}

    def case(self, chance: random.Random) -> tuple[str, str]:
        """Return a page and the query of an address."""
        page = chance.choice(
            ("", "train", "train", "inside", "inside", "plugins", "runs", "operator")
        )
        parts = []
        for _ in range(chance.choice((1, 1, 2, 3, 6))):
            keys = self.keys.get(page, ()) if chance.random() < 0.9 else ANYWHERE
            key = chance.choice(keys or ANYWHERE)
            for _ in range(chance.choice((1, 1, 1, 2, 5))):
                known = self.values.get(key, ["true", "3"])
                value = text(chance) if chance.random() < 0.7 else chance.choice(known)
                parts.append((key, value))
        if chance.random() < 0.05:
            parts.append((text(chance), text(chance)))
        if chance.random() < 0.02:
            parts *= 300
        written = "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in parts)
        if chance.random() < 0.1:  # broken on the way
            place = chance.randrange(len(written) + 1)
            written = written[:place] + chance.choice(
                ("%", "%zz", "%ed%a0%80", "&&", ";", "=", "\0")
            )
            written += chance.choice(("", "x", "%f", "%ff%fe"))
        return page, written

    def visit(self, page: str, query: str) -> list[str]:
        """Open an address; return what is wrong with what is shown, a line each."""
        from streamlit.runtime.fragment import MemoryFragmentStorage
        from streamlit.runtime.pages_manager import PagesManager
        from streamlit.runtime.scriptrunner import RerunData
        from streamlit.runtime.scriptrunner.script_cache import ScriptCache
        from streamlit.runtime.state.safe_session_state import SafeSessionState
        from streamlit.runtime.state.session_state import SessionState
        from streamlit.testing.v1.local_script_runner import LocalScriptRunner
        from streamlit.testing.v1.util import patch_config_options

        from explorer.ui import failure

        raised: list[Exception] = []

        def handle(error: Exception) -> bool:
            raised.append(error)
            return failure.show(error)

        with mock_runtime(), patch_config_options({"global.appTest": True}):
            session = SafeSessionState(SessionState(), lambda: None)
            PagesManager.uses_pages_directory = None
            pages = PagesManager(self._script, ScriptCache(), setup_watcher=False)
            storage = MemoryFragmentStorage()
            runner = LocalScriptRunner(self._script, session, pages, fragment_storage=storage)
            runner._on_script_error = handle
            runner.request_rerun(RerunData(query_string=query, page_name=page))
            runner.start()
            runner.join()
        messages = runner.forward_msgs()
        found = [f"{type(error).__name__}: {str(error)[:200]}" for error in raised]
        if not any(message.HasField("delta") for message in messages):
            found.append("nothing is shown")
        return found + [each for message in messages for each in _rendered(message)]


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


_mocked: Any = None


@contextlib.contextmanager
def mock_runtime() -> Iterator[None]:
    """Let scripts find what they need of a server, as `AppTest` does."""
    from unittest.mock import MagicMock

    from streamlit.components.v2.component_manager import BidiComponentManager
    from streamlit.runtime import Runtime
    from streamlit.runtime.caching.storage.dummy_cache_storage import MemoryCacheStorageManager
    from streamlit.runtime.dataframe_source_manager import DataframeSourceManager
    from streamlit.runtime.media_file_manager import MediaFileManager
    from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

    global _mocked
    if _mocked is None:
        _mocked = MagicMock(spec=Runtime)
        _mocked.cache_storage_manager = MemoryCacheStorageManager()
        _mocked.bidi_component_registry = BidiComponentManager()
        _mocked.bidi_component_registry.discover_and_register_components(start_file_watching=False)
    _mocked.media_file_mgr = MediaFileManager(MemoryMediaFileStorage("/mock/media"))
    _mocked.dataframe_source_mgr = DataframeSourceManager()
    Runtime._instance = _mocked
    try:
        yield
    finally:
        Runtime._instance = None


def _rendered(message: Any) -> Iterator[str]:
    """Yield what comes of hostile text in a message that a browser shows as Markdown."""
    if message.WhichOneof("type") != "delta":
        return
    for name, markdown in _texts(message.delta):
        # Where text is data, no Markdown is read.
        wrong = "evil" in markdown and name not in ("data", "json", "mixed") and comes_of(markdown)
        if wrong:
            yield f"{name} shows {wrong}: {markdown[:200]!r}"


def comes_of(markdown: str) -> str:
    """Return what Streamlit makes of Markdown beyond text and code; empty if nothing."""
    from markdown_it import MarkdownIt

    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown):
        for each in token.children or ():
            if each.type in ("link_open", "image", "html_inline"):
                return str(each.type)
            if each.type == "text":
                for mark in ("http://", "https://", "www.", "a@evil", ":smile:", ":material"):
                    if mark in each.content and "evil" in each.content:
                        return mark
        if token.type in ("html_block", "heading_open", "bullet_list_open"):
            return str(token.type)
    return ""


def _texts(message: Any, name: str = "") -> Iterator[tuple[str, str]]:
    for field, value in message.ListFields():
        values = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
        for each in values:
            if isinstance(each, str):
                yield field.name, each
            elif hasattr(each, "ListFields"):
                yield from _texts(each, field.name)


def addresses(_: Path) -> Callable[[random.Random], list[str]]:
    """Open hostile addresses of all pages."""
    app = App()

    def one(chance: random.Random) -> list[str]:
        page, query = app.case(chance)
        return [f"/{page}?{query[:400]}: {each}" for each in app.visit(page, query)]

    return one


# --- uploads


def uploads(_: Path) -> Callable[[random.Random], list[str]]:
    """Open damaged and hostile pictures, as the images of grey and of coloured data sets."""
    from PIL import Image

    from explorer.data.pictures import PictureError, open_picture, prepare
    from explorer.plugin.registry import discover

    datasets = list(discover().datasets.values())
    kinds = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "ICO", "MPO", "JPEG2000", "AVIF")
    modes = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16", "YCbCr", "LAB", "HSV")

    def picture(chance: random.Random) -> bytes:
        size = chance.choice(((1, 1), (28, 28), (3, 400), (640, 480), (1, 3000)))
        made = Image.frombytes("RGB", (16, 16), chance.randbytes(768)).resize(size)
        for _ in range(20):
            file = io.BytesIO()
            with contextlib.suppress(Exception):
                made.convert(chance.choice(modes)).save(file, chance.choice(kinds))
                return file.getvalue()
        return chance.randbytes(300)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + b"\0\0\0\0"

    def one(chance: random.Random) -> list[str]:
        pick = chance.random()
        if pick < 0.1:
            content = chance.randbytes(chance.randrange(2000))
        elif pick < 0.2:  # a size that nobody has the memory for
            header = struct.pack(
                ">IIBBBBB",
                chance.randrange(2**32),
                chance.randrange(2**32),
                8,
                chance.randrange(7),
                0,
                0,
                chance.randrange(2),
            )
            body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
            content = b"\x89PNG\r\n\x1a\n" + body
        else:
            content = mutated(picture(chance), chance)
        dataset = chance.choice(datasets)
        try:
            pixels = prepare(open_picture(content, 12_000_000), dataset)
        except PictureError as error:
            return _sentence(error)
        right = pixels.dtype == "uint8" and pixels.shape == dataset.images.shape
        return [] if right else [f"pixels are {pixels.dtype} {pixels.shape}"]

    return one


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return a file with some of its bytes changed, left out, doubled or cut off."""
    found = bytearray(content)
    for _ in range(chance.choice((0, 1, 1, 3, 20))):
        if not found:
            break
        # Headers decide more than what follows.
        place = chance.randrange(min(len(found), chance.choice((64, 512, len(found)))))
        match chance.randrange(5):
            case 0:
                found[place] = chance.randrange(256)
            case 1:
                del found[place : place + chance.randrange(1, 9)]
            case 2:
                found[place:place] = chance.randbytes(chance.randrange(1, 9))
            case 3:
                found[place : place + 4] = chance.choice(
                    (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0")
                )
            case 4:
                del found[place + chance.randrange(len(found)) :]
    return bytes(found)


def _sentence(error: Exception) -> list[str]:
    """Return what is wrong with an error of ours: it is one line that says something."""
    said = str(error)
    return [] if 10 < len(said) < 3000 and "\n" not in said else [f"no sentence: {said[:300]!r}"]


# --- settings


def settings(_: Path) -> Callable[[random.Random], list[str]]:
    """Read hostile environment variables."""
    from explorer.settings import PREFIX, Settings, SettingsError, read_settings, rows, unknown

    names = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    values = ["none", "1", "0", "true", "http://[::1", "https://x.example", "sqlite:///x", "a,b,,c"]

    def one(chance: random.Random) -> list[str]:
        before = dict(os.environ)
        try:
            for name in chance.sample(names, chance.choice((1, 2, 5))):
                value = text(chance) if chance.random() < 0.7 else chance.choice(values)
                with contextlib.suppress(ValueError):  # the system has no such variables
                    os.environ[name] = value
            unknown()
            try:
                found = rows(read_settings())
            except SettingsError as error:
                return _sentence(error)
            return [] if found else ["no settings"]
        finally:
            os.environ.clear()
            os.environ.update(before)

    return one


# --- imports


def imports(folder: Path) -> Callable[[random.Random], list[str]]:
    """Import damaged and hostile files of weights."""
    import torch
    from safetensors.torch import save

    from explorer.data.cache import load_arrays
    from explorer.errors import ExplorerError
    from explorer.plugin.registry import discover
    from explorer.runs.exchange import import_weights
    from explorer.runs.store import RunStore
    from explorer.settings import read_settings

    registry = discover()
    network, dataset = registry["plain"], registry.datasets["mnist"]
    cache = read_settings().cache
    load_arrays(dataset, cache)
    store = RunStore(f"sqlite:///{folder / 'imports.sqlite'}")
    weights = network.build(dataset.images).state_dict()

    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {folder / 'pwned'}",)

    def state(chance: random.Random) -> Any:
        changed = dict(weights)
        name = chance.choice(list(changed))
        match chance.randrange(12):
            case 0:
                changed[name] = changed[name].double()
            case 1:
                changed[name] = torch.full_like(changed[name], float("nan"))
            case 2:
                changed[name] = changed[name].to(torch.complex64)
            case 3:
                changed[text(chance)] = changed.pop(name)
            case 4:
                changed[name] = changed[name][..., :0]
            case 5:
                del changed[name]
            case 6:
                return {"state_dict": changed, "epoch": text(chance)}
            case 7:
                return chance.choice(([], {}, None, "x", 3, torch.zeros(3), {1: torch.zeros(1)}))
            case 8:
                changed[name] = changed[name].to_sparse()
            case 9:
                changed[name] = torch.empty_like(changed[name], device="meta")
            case 10:
                changed[name] = changed[name].expand(3, *changed[name].shape)
        return changed

    def content(chance: random.Random, kind: str) -> bytes:
        file = io.BytesIO()
        if kind == ".safetensors":
            if chance.random() < 0.3:
                header = {
                    text(chance): {
                        "dtype": chance.choice(("F32", "F64", "x", 3)),
                        "shape": chance.choice(([-1], [2**62], ["a"], [], 3)),
                        "data_offsets": chance.choice(([0, 4], [4, 0], [0], None)),
                    }
                }
                packed = json.dumps(header).encode("utf-8", "replace")
                return struct.pack("<Q", chance.choice((len(packed), 2**63, 0))) + packed + bytes(4)
            found = state(chance)
            tensors = {
                str(name).encode("utf-8", "replace").decode(): value.contiguous()
                for name, value in (found.items() if isinstance(found, dict) else ())
                if isinstance(value, torch.Tensor)
                and value.layout == torch.strided
                and value.device.type == "cpu"
            }
            return bytes(save(tensors))
        if chance.random() < 0.1:
            return pickle.dumps(chance.choice((Evil(), {"a": Evil()}, [Evil()], object())))
        if chance.random() < 0.1:
            with zipfile.ZipFile(file, "w") as packed_file:
                packed_file.writestr("archive/data.pkl", pickle.dumps(Evil()))
                packed_file.writestr("../../evil", "x")
            return file.getvalue()
        torch.save(state(chance), file, _use_new_zipfile_serialization=chance.random() < 0.7)
        return file.getvalue()

    def one(chance: random.Random) -> list[str]:
        kind = chance.choice((".safetensors", ".safetensors", ".pt", ".pth", ".bin", ".ckpt"))
        file = folder / f"weights{kind}"
        file.write_bytes(mutated(content(chance, kind), chance))
        found: list[str] = []
        try:
            import_weights(file, network, {}, dataset, store, registry, cache)
        except ExplorerError as error:
            found = _sentence(error)
        if (folder / "pwned").exists():
            (folder / "pwned").unlink()
            found.append("code in the file was run")
        return found

    return one


# --- plugins

GOOD = """
from torch import nn
from explorer import DataSet, ImageSpec, hookimpl

@hookimpl
def register_architectures(register):
    {hook}

class Net(nn.Module):
    {docstring}
    def __init__(self, num_classes{option}):
        super().__init__()
        self.flat, self.linear = nn.Flatten(), nn.LazyLinear(num_classes)
        {init}

    def forward(self, x):
        {forward}
        return self.linear(self.flat(x))

{end}
"""
DEEDS = [
    *("pass", "1 / 0", "raise SystemExit(3)", "raise KeyboardInterrupt", "raise GeneratorExit"),
    *("import os; os._exit(0)", "import os; os._exit(7)", "import os; os.abort()"),
    *(
        "import ctypes; ctypes.string_at(0)",
        "import sys; sys.exit('x')",
        "assert False, 'x' * 10**6",
    ),
    *("import sys; sys.setrecursionlimit(50)", "import torch; torch.set_grad_enabled(False)"),
    *("import sys; sys.path.clear()", "import sys; sys.stdout = None; sys.stderr = None"),
    *("import os; os.chdir('/')", "import os; os.environ.clear()", "import os; os.close(1)"),
    *("import gc; gc.disable()", "import torch; torch.set_default_dtype(torch.float64)"),
    *("import builtins; builtins.len = None", "import builtins; builtins.print = None"),
    *(
        "print('x' * 10**6)",
        "import sys; sys.modules['explorer'] = None",
        "open('/dev/full','w').write('x')",
    ),
    *("import signal, os; os.kill(os.getpid(), signal.SIGTERM)", "import os; os.fork()"),
    *("import threading; threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()",),
    *("raise type('E', (Exception,), {'__str__': lambda s: 1 / 0})()",),
    *("raise type('E\\n[x](http://evil.example)', (Exception,), {})('\\ud800')",),
    *(
        "raise BaseExceptionGroup('x', [KeyboardInterrupt()])",
        "raise MemoryError",
        "raise StopIteration",
    ),
    *("import random, numpy, torch; torch.manual_seed(random.SystemRandom().randrange(9))",),
]


def plugins(folder: Path) -> Callable[[random.Random], list[str]]:
    """Load hostile plugins, twenty in a case, beside the built-in ones."""
    from explorer.engines.children import Nursery
    from explorer.engines.plugins import Plugins
    from explorer.settings import read_settings
    from explorer.text import visible

    nursery = Nursery()
    built_in = read_settings().model_copy(update={"plugins": ()})
    plain = Plugins(nursery, built_in)
    known = set(plain.whole_catalogue.architectures)
    plain.close()

    def written(chance: random.Random) -> str | bytes:
        if chance.random() < 0.15:
            return chance.choice(
                (
                    chance.randbytes(200),
                    text(chance).encode("utf-8", "replace"),
                    b"\xef\xbb\xbfx = 1",
                    b"# coding: latin-9\nx = '\xe9'",
                    b"(" * 3000,
                    b"x = " + b"-" * 50_000 + b"1",
                    b"\0",
                )
            )
        name, deed = (
            repr(text(chance)),
            lambda: chance.choice(DEEDS) if chance.random() < 0.3 else "pass",
        )
        hook = chance.choice(
            (
                "register(Net)",
                f"register(Net, name={name})",
                "register(Net, name=3)",
                "register(Net())",
                "register(None)",
                "register(int)",
                "register()",
                f"register(Net, fixed={{{name}: 1}})",
                f"return {name}",
                "register(Net); register(Net)",
                f"register(Net, {name})",
                "[register(Net, name=f'n{i}') for i in range(300)]",
                "yield",
                "register(register)",
            )
        )
        option = chance.choice(
            (
                "",
                ", *, width: int = 3",
                ", *, width: 'Evil' = 3",
                f", *, kind: str = {name}",
                f", *, kind: __import__('typing').Literal[{name}, 'b'] = 'b'",
                ", *rest",
                ", **rest",
                ", *, x: float = float('nan')",
                ", *, x: int = 10**400",
                ", *, evil_option: bool = True",
            )
        )
        return GOOD.format(
            hook=hook,
            option=option,
            docstring=repr(text(chance)),
            init=deed(),
            forward=deed(),
            end=deed(),
        )

    def one(chance: random.Random) -> list[str]:
        home = Path(tempfile.mkdtemp(dir=folder))
        for number in range(20):
            content = written(chance)
            content = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
            name = f"p{number}"
            if chance.random() < 0.2:
                name += chance.choice((" evil", "[x](y)", "`", "é", "\u202e", "\n", "<b>", "." * 9))
            if chance.random() < 0.2:
                (home / name).mkdir()
                (home / name / "__init__.py").write_bytes(content)
            else:
                (home / f"{name}.py").write_bytes(content)
        changed = {"plugins": (home,), "load_time": 20.0, "load_memory": 3000}
        loaded = Plugins(nursery, built_in.model_copy(update=changed))
        try:
            catalogue = loaded.whole_catalogue
            found = [f"{name} is gone" for name in known - set(catalogue.architectures)]
            for each in catalogue.broken:
                if not each.reason or "\n" in each.reason or len(each.reason) > 3000:
                    found.append(f"no sentence of {each.source.name}: {each.reason[:300]!r}")
            for each in catalogue.architectures.values():
                if len(each.name) > 60 or visible(each.name) != each.name:
                    found.append(f"name {each.name!r}")
            return found
        finally:
            loaded.close()

    one.close = nursery.close  # type: ignore[attr-defined]
    return one


# --- all of them

MAKERS = {
    "addresses": addresses,
    "uploads": uploads,
    "settings": settings,
    "plugins": plugins,
    "imports": imports,
}


def fuzz(
    kind: str, cases: int, seed: int = 0, first: int = 0, seconds: float = float("inf")
) -> tuple[int, list[str]]:
    """Try cases of a kind; return how many, and what was found, each with its number.

    Args:
        kind: One of `KINDS`.
        cases: How many at most.
        seed: Of all cases.
        first: The number of the first.
        seconds: After which no other is begun.
    """
    found: list[str] = []
    number, end = 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = MAKERS[kind](Path(folder))
        try:
            for number in range(first, first + cases):
                if time.monotonic() > end:
                    return number - first, found
                try:
                    wrong = one(random.Random(f"{kind} {seed} {number}"))
                except Exception as error:
                    wrong = [f"{type(error).__name__}: {str(error)[:300]}"]
                found += [f"case {number}: {each}" for each in wrong]
                for each in wrong:
                    print(f"case {number}: {each}".encode("ascii", "backslashreplace").decode())
        finally:
            getattr(one, "close", lambda: None)()
    return cases, found


def main() -> int:
    """Try cases as the command line says; return 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at most")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # Neither the user's runs nor the user's plugins.
        os.environ["EXPLORER_DATABASE_URL"] = f"sqlite:///{folder}/runs.sqlite"
        os.environ.pop("EXPLORER_PLUGINS", None)
        begun = time.monotonic()
        done, found = fuzz(given.kind, given.cases, given.seed, given.first, given.seconds)
        if given.kind == "addresses":
            from explorer.ui import state

            state.shut_down()
    took = time.monotonic() - begun
    print(
        f"{given.kind}: {done:,} cases from {given.first:,}, seed {given.seed}, {took:.0f} s: "
        f"{len(found)} found"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
