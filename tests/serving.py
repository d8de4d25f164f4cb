"""The real app on a port of its own, for tests, benchmarks and screenshots."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAUSE = 0.1  # seconds between two looks whether the server is there
PATIENCE = 90.0  # seconds until it has to be


@contextmanager
def serving(
    database: Path,
    cache: Path,
    script: Path | None = None,
    *,
    may_fail: bool = False,
    **environment: str,
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve the app while the block runs, and end it afterwards.

    Args:
        database: The SQLite file in which it keeps its runs.
        cache: The folder of the decoded data sets.
        script: Another app to be served in its place.
        may_fail: Whether its log may have a traceback.
        environment: More variables.

    Yields:
        Its address and its process.

    Raises:
        AssertionError: It did not start, or its log has a traceback that it may not have.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script or "streamlit_app.py")]
    options = ["--server.port", str(port), "--server.headless", "true"]
    # A file, since a pipe that nobody reads would stop a server that says a lot.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            env={
                **os.environ,
                "EXPLORER_DATABASE_URL": f"sqlite:///{database}",
                "EXPLORER_CACHE": str(cache),
                **environment,
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
        address = f"http://localhost:{port}"
        try:
            assert _answers(address, process), f"The app did not start: {_read(log)}"
            yield address, process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()
            text = _read(log)
            assert may_fail or "Traceback" not in text, text


def _answers(address: str, process: "subprocess.Popen[str]") -> bool:
    """Wait until the app answers, and return whether it does."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health") as answer:
            if answer.status == 200:
                return True
        time.sleep(PAUSE)
    return False


def _read(log: IO[str]) -> str:
    log.seek(0)
    return log.read()
