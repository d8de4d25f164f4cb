"""Every code block of the documents is run, in the order in which a reader meets it."""

import os
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

import explorer
from explorer.examples import open_examples
from explorer.registry import load
from explorer.sources import from_target

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)?(?: ([\w./-]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^|(?<=\n\n))((?:    .*\n)+)", re.MULTILINE)


def run(command, folder, environment):
    if command.startswith("explorer "):
        command = f"{shlex.quote(sys.executable)} -m {command}"
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def serves(command, environment):
    """Whether the app starts by this command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--server.headless", "true", "--server.port", str(port)]
    words = [sys.executable, "-m", *shlex.split(command), *options]
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as server:
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


def follow(text, folder, environment):
    """Run a console block, command by command, and compare what it says."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            environment[name] = value.replace("$PWD", str(folder))
        elif command.startswith("streamlit run "):
            assert serves(command, environment)
        else:
            done = run(command, folder, environment)
            assert done.returncode == 0, f"$ {command}\n{done.stdout}"
            assert pattern(expected).fullmatch(done.stdout), f"$ {command}\n{done.stdout}"


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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_block_of_a_document_does_what_it_says(document, folder):
    environment = dict(os.environ)
    names = {name: getattr(explorer, name) for name in explorer.__all__}
    for language, file, text in FENCE.findall(document.read_text(encoding="utf-8")):
        if language == "console":
            follow(text, folder, environment)
        elif file:
            path = folder / file
            if path.exists():  # it was begun by a command, and this is what it holds
                assert path.read_text(encoding="utf-8") == text
            path.write_text(text, encoding="utf-8")
            if file.startswith("test_"):
                done = run(f"{sys.executable} -m pytest -q {file}", folder, environment)
                assert done.returncode == 0, done.stdout
            else:
                assert load([from_target(str(path))]).broken == ()
        elif language == "python":
            own = names | {"nn": nn, "torch": torch, "Path": Path}
            exec(compile(text, str(document), "exec"), own | {"__file__": str(folder / "x.py")})
        else:
            assert language == "", f"a block of {language} is run by nothing"


def test_a_block_that_does_something_else_is_found(folder):
    follow("$ echo one\none\n$ echo a b\na …\n$ printf '1\\n2\\n3\\n'\n…\n3\n", folder, {})
    for wrong in ("$ echo one\ntwo\n", "$ false\n", "$ printf '1\\n2\\n'\n2\n"):
        with pytest.raises(AssertionError):
            follow(wrong, folder, {})


# The README's commands stand indented. The two that set everything up are run by whoever installs
# the explorer, and by what checks each change.
COMMANDS = [
    re.split(r" {2,}", line.strip())[0]
    for block in INDENTED.findall(FENCE.sub("", (ROOT / "README.md").read_text(encoding="utf-8")))
    for line in block.splitlines()
]
SET_UP = [
    "pip install -r requirements.txt && streamlit run streamlit_app.py",
    "pip install -r requirements-dev.txt && pytest",
]


def test_the_readme_s_commands_run(folder):
    run_id = next(r.id for r in open_examples().runs() if r.spec.architecture == "inception")
    environment = os.environ | {"EXPLORER_PLUGINS": str(folder)}
    ran = [command for command in COMMANDS if command not in SET_UP]
    benchmarks = [command for command in ran if command.startswith("python benchmarks/")]
    assert len(ran) > 10
    helped = [
        subprocess.Popen(
            [sys.executable, ROOT / command.split()[1], "--help"], stdout=subprocess.DEVNULL
        )
        for command in benchmarks
    ]
    for command in ran:
        if command.startswith("explorer train"):  # all of MNIST, ten times over, takes minutes
            command += " --epochs 1 --train-size 64"
        if command.startswith("explorer inspect"):
            command = command.replace("RUN", run_id) + " --test-images 100"
        if command in benchmarks:
            continue
        done = run(command, folder, environment)
        assert done.returncode == 0, f"{command}\n{done.stdout}"
    assert [process.wait() for process in helped] == [0] * len(benchmarks)
