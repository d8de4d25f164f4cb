"""The real app on a port of its own, for tests, benchmarks and screenshots."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def serving(database: Path, cache: Path, script: Path | None = None, **environment: str):
    """The address of the app, or of another script, and its process, which is ended at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            str(script or "streamlit_app.py"),
            "--server.port",
            str(port),
            "--server.headless",
            "true",
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "EXPLORER_DATABASE_URL": f"sqlite:///{database}",
            "EXPLORER_CACHE": str(cache),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address = f"http://localhost:{port}"
    try:
        for _ in range(240):
            with suppress(OSError):
                if urllib.request.urlopen(f"{address}/_stcore/health").status == 200:
                    break
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.25)
        yield address, process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        log = process.stdout.read()
        assert "Traceback" not in log, log
