"""Try natively what the image and compose.yaml do: `deploy/try.sh [--install]`.

As in the image, the app is run by a user of its own with the Dockerfile's environment and command,
and may write into its data folder only; PostgreSQL and nginx are in front and behind, the latter
with deploy/nginx.conf. One line is printed for each thing that was tried; the exit status says
whether all of them hold.
"""

import argparse
import asyncio
import contextlib
import http.client
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socket import socket
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

import psutil
import recipes
from recipes import ROOT

sys.path.insert(0, str(ROOT / "tests"))

from postgres import PASSWORD, Postgres, programs
from visiting import Visitor

from explorer.charts.style import LIBRARY_ADDRESS
from explorer.passwords import hash_password
from explorer.runs.run import Status
from explorer.runs.store import RunStore
from explorer.settings import Settings
from explorer.training.events import Moment

USER = 10001  # as in the Dockerfile
PATIENCE = 120.0  # seconds until the app has to answer, on a busy machine
STOPPING = 15.0  # seconds from SIGTERM until nothing of it may be left
CLASS = 50  # visitors who open the link at once, from one address
BROWSER = {"Accept": "text/html"}
COOKIE = "explorer-visitor"
SHORT = "architecture=plain&fast.epochs=1&fast.train_size=640"
LONG = "architecture=plain&fast.epochs=10"

TOKEN = secrets.token_urlsafe(40)

Answer = tuple[int, Mapping[str, str], str]


class Trial:
    """The app, its database and nginx, in a folder.

    Args:
        folder: Where everything is; it is deleted by whoever made it.
        python: The Python that serves the app.
        variables: Its variables: where it finds the explorer.
    """

    def __init__(self, folder: Path, python: str, variables: Mapping[str, str]) -> None:
        self.folder, self.data = folder, folder / "data"
        self.port, self.front, self.secure = _free_ports(3)
        self._python, self._variables = python, variables
        self._hash = hash_password(secrets.token_urlsafe())
        self._dockerfile = recipes.DOCKERFILE.read_text(encoding="utf-8")
        home = programs()
        if home is None:
            raise SystemExit("PostgreSQL is not installed.")
        self._programs = (home / "initdb").resolve().parent  # home may hold links to some only
        (folder / "postgres").mkdir()
        self.database = Postgres(home, folder / "postgres")
        self.url = self.database.new_database()
        self.app: subprocess.Popen[bytes] | None = None
        self.nginx: subprocess.Popen[bytes] | None = None
        self._as_user: dict[str, Any] = {}
        for each in (self.data, folder / "tmp"):
            each.mkdir(mode=0o700)
            if os.geteuid() == 0:
                os.chown(each, USER, USER)
        if os.geteuid() == 0:
            self._as_user = {"user": USER, "group": USER, "extra_groups": []}

    @property
    def address(self) -> str:
        """Where visitors reach nginx."""
        return f"http://127.0.0.1:{self.front}"

    def environment(self) -> dict[str, str]:
        """Return the app's variables: those of the image, then those of compose.yaml."""
        found = recipes.environment(self._dockerfile)
        own = recipes.services(recipes.COMPOSE.read_text(encoding="utf-8"))["app"]["environment"]
        found |= {name: str(value) for name, value in own.items()}
        found = {name: value.replace("/data", str(self.data)) for name, value in found.items()}
        user, _, rest = self.url.partition("://")[2].partition("@")
        found["EXPLORER_DATABASE_URL"] = f"postgresql://{user.partition(':')[0]}@{rest}"
        found["PGPASSWORD"] = PASSWORD
        found["PATH"] = f"{Path(self._python).parent}:{os.defpath}"
        found["STREAMLIT_SERVER_ADDRESS"] = "127.0.0.1"
        found["STREAMLIT_SERVER_PORT"] = str(self.port)
        found["EXPLORER_OPERATOR_PASSWORD_HASH"] = self._hash
        found["EXPLORER_METRICS_TOKEN"] = TOKEN
        found["TMPDIR"] = str(self.folder / "tmp")  # compose.yaml's tmpfs
        return {**found, **self._variables}

    def start_app(self) -> None:
        """Start the app by the image's command, and wait until it is healthy."""
        words = [self._python, *recipes.command(self._dockerfile)[1:]]
        with (self.folder / "app.log").open("ab") as log:
            self.app = subprocess.Popen(
                words,
                cwd=self.folder / "app",
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user,
            )
        end = time.monotonic() + PATIENCE
        while not self.is_healthy():
            if self.app.poll() is not None or time.monotonic() > end:
                raise AssertionError("The app did not become healthy.")
            time.sleep(0.1)

    def is_healthy(self) -> bool:
        """Ask by the image's own health check."""
        own = recipes.command(self._dockerfile, "HEALTHCHECK")[1:]
        own = [word.replace("8501", str(self.port)) for word in own]
        words, variables = [self._python, *own], self.environment()
        asked = subprocess.run(words, check=False, capture_output=True, env=variables)
        return asked.returncode == 0

    def start_nginx(self) -> None:
        """Test nginx's configuration, then serve by it."""
        home = self.folder / "nginx"
        (home / "extra").mkdir(parents=True, exist_ok=True)
        text = _replaced(
            (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8"),
            {
                "server app:8501;": f"server 127.0.0.1:{self.port};",
                "listen 8080;": f"listen 127.0.0.1:{self.front};",
                "/etc/nginx/extra/": f"{home}/extra/",
                "/tmp/nginx/": f"{home}/",
            },
        )
        (home / "nginx.conf").write_text(text, encoding="utf-8")
        _call(*self._nginx("-t"))
        with (self.folder / "nginx.log").open("ab") as log:
            words = [*self._nginx(), "-g", "daemon off;"]
            self.nginx = subprocess.Popen(words, stdout=log, stderr=log)
        _wait(lambda: _answers(self.front), "nginx answers")

    def add_tls(self) -> None:
        """Have nginx take TLS by extra/tls.conf.example and a certificate that was made here."""
        extra = self.folder / "nginx" / "extra"
        _call(
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", extra / "privkey.pem"),
            *("-out", extra / "fullchain.pem"),
        )
        text = _replaced(
            (ROOT / "deploy" / "extra" / "tls.conf.example").read_text(encoding="utf-8"),
            {"listen 8443": f"listen 127.0.0.1:{self.secure}", "/etc/nginx/extra": str(extra)},
        )
        (extra / "tls.conf").write_text(text, encoding="utf-8")
        _call(*self._nginx("-t"))
        _call(*self._nginx("-s", "reload"))
        # The processes with the old configuration still answer for a moment.
        _wait(lambda: self.ask("/healthz")[0] == 301, "nginx has taken the new configuration")

    def _nginx(self, *words: str) -> list[str]:
        home = self.folder / "nginx"
        program = shutil.which("nginx", path=f"{os.defpath}:/usr/sbin:/sbin")
        if program is None:
            raise SystemExit("nginx is not installed.")
        return [program, "-p", str(home), "-c", str(home / "nginx.conf"), *words]

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        source: str = "127.0.0.1",
        tls: bool = False,
    ) -> Answer:
        """Ask nginx, from an address of this machine; return status, headers and text."""
        options: dict[str, Any] = {"timeout": 30, "source_address": (source, 0)}
        if tls:
            own = ssl.create_default_context(cafile=self.folder / "nginx/extra/fullchain.pem")
            own.check_hostname = False
            to: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", self.secure, context=own, **options
            )
        else:
            to = http.client.HTTPConnection("127.0.0.1", self.front, **options)
        with contextlib.closing(to):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                to.request(method, path, body, dict(headers))  # who refuses a body may not read it
            answer = to.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read().decode(errors="replace")

    def restored(self) -> str:
        """Dump the database, and return the URL of another that was restored from that."""
        dump = self.folder / "explorer.dump"
        other = self.database.new_database()
        _call(self._programs / "pg_dump", "-Fc", "-f", dump, "-d", _plain(self.url))
        restoring = ("--clean", "--if-exists", "-d", _plain(other), dump)
        _call(self._programs / "pg_restore", *restoring)
        return other

    def stop_app(self) -> float:
        """Send the app SIGTERM, as Docker does; return the seconds until nothing of it is left."""
        assert self.app is not None
        family = [psutil.Process(self.app.pid)]
        family += family[0].children(recursive=True)
        began = time.monotonic()
        self.app.send_signal(signal.SIGTERM)
        self.app.wait(STOPPING)
        _, left = psutil.wait_procs(family, timeout=began + STOPPING - time.monotonic())
        if left:
            raise AssertionError(f"{len(left)} of its processes are left.")
        return time.monotonic() - began

    def close(self) -> None:
        """End all that runs."""
        if self.app and self.app.poll() is None:
            for each in psutil.Process(self.app.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    each.kill()
            self.app.kill()
            self.app.wait()
        if self.nginx and self.nginx.poll() is None:
            self.nginx.terminate()
            self.nginx.wait(10)
        self.database.stop()


def try_all(trial: Trial) -> Iterator[str]:
    """Try everything in turn; yield a line for each thing that holds.

    Raises:
        AssertionError: Something does not hold.
    """
    trial.start_nginx()
    yield "nginx takes deploy/nginx.conf"
    status, _, text = trial.ask("/")
    assert (status, "being started" in text) == (503, True), (status, text)
    yield "while the app is away, nginx says so"
    trial.start_app()
    yield f"the app is healthy by the image's own check, as user {_owner(trial)}"
    status, _, text = trial.ask("/healthz")
    assert status == 200, text
    yield f"/healthz through nginx: {text}"

    cookie = _try_page(trial)
    yield "a page has the security headers, and brings a cookie"
    _try_files(trial)
    yield "files with a hash in their names may be kept for ever, and nginx keeps them"
    status, _, text = trial.ask("/metrics")
    assert status == 403, text
    status, _, text = trial.ask("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (status, "\nexplorer_database_up 1" in text) == (200, True), text
    yield "/metrics through nginx is for who has the token"

    run = asyncio.run(_train(trial))
    store = RunStore(trial.url)
    steps = store.steps(run)
    assert store.run(run).status is Status.FINISHED
    assert steps
    yield f"a visitor trains through nginx, over a WebSocket: {len(steps)} steps are in PostgreSQL"

    yield from _try_limits(trial)

    long, seconds = asyncio.run(_interrupt(trial, store))
    interrupted = store.run(long)
    before = store.steps(long)
    assert interrupted.status is Status.INTERRUPTED, interrupted
    assert before
    yield f"SIGTERM in mid-run: nothing is left after {seconds:.1f} s, and the run is interrupted"

    trial.start_app()
    assert store.run(run).status is Status.FINISHED
    assert store.steps(run) == steps
    assert store.steps(long)[: len(before)] == before
    assert store.run(long).status is Status.INTERRUPTED
    _, headers, _ = trial.ask("/", headers={"Cookie": cookie, **BROWSER})
    assert "set-cookie" not in headers, headers["set-cookie"]
    asyncio.run(_visit(trial, f"run={run}"))
    yield "after a restart, runs, steps and visitors are what they were"

    copied = RunStore(trial.restored())
    assert copied.run(run) == store.run(run)
    assert copied.steps(run) == steps
    assert copied.weights(run, Moment(1)) == store.weights(run, Moment(1))
    copied.close()
    yield "a backup by pg_dump, restored by pg_restore, has the runs and their weights"

    trial.add_tls()
    status, headers, _ = trial.ask("/inside?run=x")
    assert (status, headers["location"]) == (301, "https://127.0.0.1/inside?run=x"), headers
    _, headers, _ = trial.ask("/", headers=BROWSER, tls=True)
    assert "strict-transport-security" in headers
    assert "; Secure" in headers["set-cookie"]
    yield "with extra/tls.conf: http leads to https, and the cookie is for https only"

    trial.stop_app()
    log = (trial.folder / "app.log").read_text(encoding="utf-8", errors="replace")
    assert "Traceback" not in log, log
    yield "the app's log has no traceback"
    assert not (strays := _strays(trial)), strays
    yield "the app wrote nothing outside its data folder"
    store.close()


def _try_page(trial: Trial) -> str:
    """Return the visitor's cookie."""
    status, headers, _ = trial.ask("/", headers=BROWSER)
    assert status == 200
    wanted = ("content-security-policy", "x-content-type-options", "referrer-policy")
    assert set(wanted) <= set(headers), headers
    cookie = headers.get("set-cookie", "")
    assert cookie.startswith(f"{COOKIE}="), headers
    assert "HttpOnly" in cookie
    return cookie.partition(";")[0]


def _try_files(trial: Trial) -> None:
    _, _, page = trial.ask("/")
    names = [part.partition('"')[0] for part in page.split('src="./static/')[1:]]
    assert names, page
    for path in [f"/static/{names[0]}", f"/{LIBRARY_ADDRESS}"]:
        status, headers, _ = trial.ask(path, headers={"Accept-Encoding": "gzip"})
        assert status == 200, path
        assert headers.get("content-encoding") == "gzip", headers
        assert "immutable" in headers["cache-control"], headers["cache-control"]
    files = trial.folder / "nginx" / "files"
    end = time.monotonic() + 10  # nginx puts a file there a moment after it has sent it
    while len(kept := [file for file in files.rglob("*") if file.is_file()]) < 2:
        assert time.monotonic() < end, kept
        time.sleep(0.1)


def _try_limits(trial: Trial) -> Iterator[str]:
    with ThreadPoolExecutor(CLASS) as threads:
        paths = ["/", "/_stcore/health", "/_stcore/host-config"] * CLASS
        answers = list(threads.map(trial.ask, paths))
    assert {status for status, _, _ in answers} == {200}
    yield f"a class of {CLASS} behind one address opens the link at once"
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(trial.ask, ["/operator/sign-in"] * 60))
    refused = [headers for status, headers, _ in answers if status == 429]
    assert refused, {status for status, _, _ in answers}
    assert "retry-after" in refused[0]
    status, _, _ = trial.ask("/operator/sign-in", source="127.0.0.3")
    assert status == 200
    yield f"of a burst of 60 to the sign-in, {len(refused)} are refused, and another address is not"

    settings = Settings(hosted=True)
    assert settings.upload_bytes is not None
    assert settings.uploads_per_minute is not None
    path = "/_stcore/upload_file/nobody/nothing"
    too_large = b"x" * (settings.upload_bytes + 2**20)
    status, _, _ = trial.ask(path, "PUT", too_large, source="127.0.0.4")
    assert status == 413, status
    yield f"an upload of {len(too_large) / 1e6:.1f} MB is refused"
    for number in range(settings.uploads_per_minute):
        status, _, text = trial.ask(path, "PUT", b"x", source="127.0.0.5")
        assert status not in (413, 429), (number, text)
    forged = {"X-Forwarded-For": "192.0.2.1"}
    status, _, text = trial.ask(path, "PUT", b"x", forged, source="127.0.0.5")
    assert (status, "in a minute" in text) == (429, True), (status, text)
    status, _, text = trial.ask(path, "PUT", b"x", source="127.0.0.6")
    assert status != 429, text
    yield "the app knows visitors by their own addresses, and believes no forged one"


async def _visit(trial: Trial, query: str) -> None:
    visitor = Visitor(trial.address, query=query)
    await visitor.arrive()
    await visitor.leave()
    assert visitor.errors == [], visitor.errors


async def _started(trial: Trial, query: str) -> tuple[Visitor, str]:
    """Return a visitor who has started a run, and its id."""
    visitor = Visitor(trial.address, query=query, assets=True)
    await visitor.arrive()
    await visitor.click("Train")
    run = dict(parse_qsl(visitor.query)).get("run", "")
    assert run, visitor.query
    return visitor, run


async def _train(trial: Trial) -> str:
    """Train a small run as a visitor; return its id."""
    visitor, run = await _started(trial, SHORT)
    store = RunStore(trial.url)
    await _until(lambda: not store.run(run).status.is_live, "the run ends")
    await visitor.leave()
    assert visitor.errors == [], visitor.errors
    store.close()
    return run


async def _interrupt(trial: Trial, store: RunStore) -> tuple[str, float]:
    """Stop the app while a run is trained and watched; return the run, and the seconds it took."""
    visitor, run = await _started(trial, LONG)
    await _until(lambda: len(store.steps(run)) > 2, "the run trains")
    seconds = await asyncio.to_thread(trial.stop_app)
    await visitor.leave()
    return run, seconds


async def _until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < end, f"It takes too long until {what}."
        await asyncio.sleep(0.2)


def _wait(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end, f"It takes too long until {what}."
        time.sleep(0.05)


def _answers(port: int) -> bool:
    with socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _plain(url: str) -> str:
    """Return a database's URL as PostgreSQL's own programs take it."""
    return url.replace("+psycopg", "")


def _owner(trial: Trial) -> int:
    assert trial.app is not None
    found = psutil.Process(trial.app.pid).uids().effective
    assert os.geteuid() != 0 or found == USER
    return found


def _strays(trial: Trial) -> list[str]:
    """Return what the app's user owns outside its data folder; only root has made one."""
    if os.geteuid() != 0:
        return []
    within = ["/tmp", "/var/tmp", "/dev/shm"]
    allowed = (str(trial.data), str(trial.folder / "tmp"))
    found = _call("find", *within, "-xdev", "-uid", str(USER), "-newer", trial.folder / "app")
    return [path for path in found.splitlines() if not path.startswith(allowed)]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"{old} is not there any more."
        text = text.replace(old, new)
    return text


def _call(*words: str | Path, **variables: str) -> str:
    own = {**os.environ, **variables}
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=own)
    assert done.returncode == 0, f"{words[0]} failed: {done.stdout}{done.stderr}"
    return done.stdout


def prepare(folder: Path, *, install: bool) -> tuple[str, dict[str, str]]:
    """Install the explorer as the image does; return the Python for it, and its variables.

    Args:
        folder: Gets `app`, what the image has in /app, which only its owner may change.
        install: Whether to make an environment with all that it needs; else this Python has it.
    """
    context, app = folder / "context", folder / "app"
    recipes.copy_context(context)
    app.mkdir()
    shutil.copy(context / "streamlit_app.py", app)
    shutil.copytree(context / ".streamlit", app / ".streamlit")
    base, variables = _open_to_all(folder)
    if install:
        python = folder / "venv" / "bin" / "python"
        _call(base, "-m", "venv", folder / "venv", **variables)
        for what in ("requirements", "explorer"):
            _call("sh", context / "deploy" / "install.sh", what, python, **variables)
        return str(python), variables
    site = folder / "site"
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation")
    _call(sys.executable, "-m", "pip", "install", *quiet, "--target", site, context)
    installed = sysconfig.get_path("purelib")
    return base, {**variables, "PYTHONPATH": f"{site}{os.pathsep}{installed}"}


def _open_to_all(folder: Path) -> tuple[str, dict[str, str]]:
    """Return a Python that the app's user can run, and the variables that it needs.

    This one may be in root's home; then its files are linked to from elsewhere.
    """
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = {"user": USER, "group": USER, "extra_groups": []}
    with contextlib.suppress(PermissionError):
        if subprocess.run([sys.executable, "-c", ""], check=False, cwd="/", **user).returncode == 0:
            return sys.executable, {}
    home = folder / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ignored = shutil.ignore_patterns("site-packages", "test", "__pycache__")
    for part in ("bin", "lib"):
        source = Path(sys.base_prefix) / part
        shutil.copytree(source, home / part, symlinks=True, ignore=ignored, copy_function=_link)
    return str(home / "bin" / version), {"LD_LIBRARY_PATH": str(home / "lib")}


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def main() -> None:
    """Try everything, and print what holds."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument(
        "--install", action="store_true", help="install all that the image has by install.sh"
    )
    install = options.parse_args().install
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="explorer-trial-"))
    os.umask(0o022)
    folder.chmod(0o755)
    try:
        trial = Trial(folder, *prepare(folder, install=install))
        try:
            for line in try_all(trial):
                print(f"{time.monotonic() - began:5.1f} s  {line}", flush=True)
        except BaseException:
            for log in ("app.log", "nginx.log"):
                if (folder / log).exists():
                    print(f"{log}:\n{(folder / log).read_text('utf-8')[-4000:]}", file=sys.stderr)
            raise
        finally:
            trial.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
