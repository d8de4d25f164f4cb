"""Every code block of the documents is run, in the order in which a reader meets it.

Every link of theirs leads somewhere.
"""

import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

import explorer
from explorer.cli import app
from explorer.plugin.registry import load
from explorer.plugin.sources import from_target
from explorer.runs.recorded import open_examples

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
    for file in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/*.md")]
}
FENCE = re.compile(r"^```(\w+)?(?: ([\w./-]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A block of no language is a picture made of text, or a signature.
BLOCKS = {
    name: [block for block in FENCE.findall(text) if block[0]] for name, text in DOCUMENTS.items()
}
# A translation has the blocks of the English document, as test_translations.py finds.
RUN = [name for name, blocks in BLOCKS.items() if blocks and ".zh-CN" not in name]
LINK = re.compile(r"\]\(([^)\s]+)\)")
INDENTED = re.compile(r"(?:^|(?<=\n\n))((?:    .*\n)+)", re.MULTILINE)


class Shell:
    """A reader's console; commands of the explorer run in this process."""

    def __init__(self, folder, monkeypatch):
        self.folder, self._monkeypatch = folder, monkeypatch
        monkeypatch.chdir(folder)

    def export(self, name, value):
        self._monkeypatch.setenv(name, value.replace("$PWD", str(self.folder)))

    def run(self, command):
        """Run a command; return its exit status and all that it printed."""
        if command.startswith("explorer "):
            done = CliRunner().invoke(app, shlex.split(command)[1:])
            return done.exit_code, done.output
        done = subprocess.run(
            command,
            shell=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def follow(self, text):
        """Run a console block, command by command, and compare what each prints."""
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            if command.startswith("export "):
                self.export(*command.removeprefix("export ").split("=", 1))
            elif command.startswith("streamlit run "):
                assert serves(command)
            else:
                status, printed = self.run(command)
                assert status == 0, f"$ {command}\n{printed}"
                assert pattern(expected).fullmatch(printed), f"$ {command}\n{printed}"


def serves(command):
    """Whether the app starts by this command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--server.headless", "true", "--server.port", str(port)]
    words = [sys.executable, "-m", *shlex.split(command), *options]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL) as server:
        try:
            for _ in range(300):
                assert server.poll() is None
                try:
                    address = f"http://127.0.0.1:{port}/_stcore/health"
                    return urllib.request.urlopen(address, timeout=5).status == 200
                except (urllib.error.URLError, OSError):
                    time.sleep(0.1)
        finally:
            server.terminate()
    return False


def pattern(expected):
    """What a document shows, as a pattern: `…` stands for anything, alone for any lines."""
    lines = [
        r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + " *\n"
        for line in expected.splitlines()
    ]
    return re.compile("".join(lines))


@pytest.fixture
def folder(tmp_path):
    """A reader's own folder, with some pictures and arrays."""
    for label in ("ash", "oak"):
        (tmp_path / "leaves" / label).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (8, 8)).save(tmp_path / "leaves" / label / f"{number}.png")
    images, labels = np.zeros((2, 4, 4), np.uint8), np.array([0, 1])
    np.savez(
        tmp_path / "shapes.npz",
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
    )
    return tmp_path


@pytest.mark.parametrize("name", RUN)
def test_every_block_of_a_document_does_what_it_says(name, folder, monkeypatch):
    shell = Shell(folder, monkeypatch)
    names = {name: getattr(explorer, name) for name in explorer.__all__}
    assert BLOCKS[name]
    for language, file, text in BLOCKS[name]:
        if language == "console":
            shell.follow(text)
        elif file:
            path = folder / file
            if path.exists():  # it was begun by a command, and this is what it holds
                assert path.read_text(encoding="utf-8") == text
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            if path.suffix == ".md":
                continue  # the text of a lesson, which its plugin reads
            if path.name.startswith("test_"):
                home = path.parent.parent
                status, printed = shell.run(f"cd {home} && {sys.executable} -m pytest -q {path}")
                assert status == 0, printed
            else:
                assert load([from_target(str(path))]).broken == ()
        elif language == "python":
            own = names | {"nn": nn, "torch": torch, "Path": Path}
            exec(compile(text, name, "exec"), own | {"__file__": str(folder / "x.py")})
        else:
            pytest.fail(f"A block of {language} is run by nothing.")


def test_the_documents_that_have_something_to_run_are_found():
    """A document whose blocks are not recognised would have nothing to run, and pass."""
    assert {"README.md", "docs/writing-a-plugin.md"} <= set(RUN)
    for name, text in DOCUMENTS.items():
        fences = re.findall(r"^ *```", text, re.MULTILINE)
        assert len(fences) == 2 * len(FENCE.findall(text)), name


def anchors(text):
    """The anchors of a document's headings, as they are made of their words."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINKS = [
    (name, link)
    for name, text in DOCUMENTS.items()
    for link in sorted({*LINK.findall(text)})
    if "://" not in link
]


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_every_link_leads_somewhere(name, link):
    path, _, anchor = link.partition("#")
    target = (ROOT / name).parent / path if path else ROOT / name
    assert target.exists()
    if anchor:
        assert anchor in anchors(target.read_text(encoding="utf-8"))


def test_a_block_that_does_something_else_is_found(folder, monkeypatch):
    shell = Shell(folder, monkeypatch)
    shell.follow("$ echo one\none\n$ echo a b\na …\n$ printf '1\\n2\\n3\\n'\n…\n3\n")
    for wrong in ("$ echo one\ntwo\n", "$ false\n", "$ printf '1\\n2\\n'\n2\n"):
        with pytest.raises(AssertionError):
            shell.follow(wrong)


# The README's commands are indented. The two that set everything up are run by whoever installs the
# explorer, and by .ci/run.
COMMANDS = [
    re.split(r" {2,}", line.strip())[0]
    for block in INDENTED.findall(FENCE.sub("", DOCUMENTS["README.md"]))
    for line in block.splitlines()
]
SET_UP = [
    "pip install -r requirements.txt && streamlit run streamlit_app.py",
    "pip install -r requirements-dev.txt && pytest",
]


# In one process, since each benchmark imports torch.
HELP = """
import runpy, sys
for file in sys.argv[1:]:
    sys.argv = [file, "--help"]
    try:
        runpy.run_path(file, run_name="__main__")
    except SystemExit as end:
        assert not end.code, file
"""


def test_the_readme_s_commands_run(folder, monkeypatch):
    ids = {run.spec.architecture: run.id for run in open_examples().runs()}
    shell = Shell(folder, monkeypatch)
    shell.export("EXPLORER_PLUGINS", str(folder))
    benchmarks = [command for command in COMMANDS if command.startswith("python benchmarks/")]
    ran = [command for command in COMMANDS if command not in [*SET_UP, *benchmarks]]
    assert len(ran) > 5
    assert set(SET_UP) <= set(COMMANDS)
    small = "[[run]]\narchitecture = 'plain'\ntrain_size = 64\n"
    (folder / "runs.toml").write_text(small, encoding="utf-8")
    digit = Image.new("L", (60, 80), "white")
    digit.paste("black", (28, 15, 34, 65))
    digit.save(folder / "digit.png")
    (folder / "skip.yaml").write_text("title: What does the skip carry?\n", encoding="utf-8")
    for command in ran:
        if command.startswith("explorer train"):  # all of MNIST, ten times over, takes minutes
            command += " --epochs 1 --train-size 64"
        if command.startswith("explorer inspect"):
            command += " --test-images 100"
        # Each switch of each branch is in the page that is exported; plain has none.
        run_id = ids["plain" if "--html" in command else "inception"]
        status, printed = shell.run(command.replace("RUN", run_id))
        assert status == 0, f"{command}\n{printed}"
    files = [str(ROOT / command.split()[1]) for command in benchmarks]
    words = [sys.executable, "-c", HELP, *files]
    helped = subprocess.run(
        words, cwd=ROOT / "benchmarks", capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0, helped.stderr
