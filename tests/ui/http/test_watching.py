"""`/healthz` and `/metrics`: what a monitor asks."""

import re
import subprocess
import sys
import threading
import time
from collections import namedtuple

import pytest

from explorer.engines import status
from explorer.engines.status import EngineStatus
from explorer.runs.run import RunSpec, Status
from explorer.runs.store import RunStore
from explorer.training.events import Epoch
from explorer.training.recipe import Recipe
from explorer.ui import state
from explorer.ui.http import health, metrics, uploads

SPEC = RunSpec("plain", {}, "mnist", Recipe(epochs=1), "0")
TOKEN = "t" * 40


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(health, "_health", health.Health())
    monkeypatch.setattr(health, "_begun", time.monotonic())
    monkeypatch.setattr(metrics, "_trained", None)
    monkeypatch.setattr(uploads, "counted", uploads.Uploads())


def asked(client):
    answer = client.get("/healthz")
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()


def test_an_app_that_works_says_so_to_everybody(browser):
    status.report(lambda: EngineStatus(is_alive=True))
    code, found = asked(browser())
    assert code == 200
    assert found.pop("disk_free_mb") > 100
    assert re.fullmatch(r"\d+\.\d+.*", found.pop("version"))
    assert found == {"status": "ok", "database": "ok", "worker": "ok", "disk": "ok"}


def test_an_app_that_starts_is_not_restarted(browser):
    code, found = asked(browser())
    assert (code, found["worker"]) == (200, "starting")


def test_an_app_that_never_gets_a_worker_is_restarted(browser, monkeypatch):
    monkeypatch.setattr(health, "_begun", time.monotonic() - health.STARTING - 1)
    code, found = asked(browser())
    assert (code, found["worker"]) == (503, "dead")


def test_a_dead_worker_is_said(browser):
    status.report(lambda: EngineStatus(is_alive=False))
    code, found = asked(browser())
    assert (code, found["status"], found["worker"]) == (503, "failing", "dead")


def test_a_database_that_is_gone_is_said_without_its_name(browser, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no database at all, and no folder either")
    monkeypatch.setenv("EXPLORER_DATABASE_URL", f"sqlite:///{tmp_path}/file")
    code, found = asked(browser())
    assert (code, found["database"]) == (503, "no answer")
    assert str(tmp_path) not in str(found)


def test_a_database_that_hangs_is_said_in_time(browser, monkeypatch, store):
    held = threading.Event()
    monkeypatch.setattr(health, "PATIENCE", 0.2)
    monkeypatch.setattr(health.ask, "__defaults__", (0.2,))
    monkeypatch.setattr(state, "store", lambda: held.wait(30) and store)
    try:
        code, found = asked(browser())
        assert (code, found["database"]) == (503, "no answer")
    finally:
        held.set()


def test_a_full_disk_is_said(browser, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**6))
    code, found = asked(browser())
    assert (code, found["disk"], found["disk_free_mb"]) == (503, "full", 1)


def test_many_who_ask_at_once_cost_one_look(browser, monkeypatch, store):
    looks = []
    monkeypatch.setattr(state, "store", lambda: looks.append(1) or store)
    client = browser()
    assert {asked(client)[0] for _ in range(20)} == {200}
    assert len(looks) < 5


def test_health_needs_no_torch():
    code = (
        "import sys; import explorer.ui.http.health, explorer.ui.http.metrics; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# Metrics.


def numbers(text: str) -> dict[str, float]:
    """What a Prometheus server reads from the text; a line that it would refuse fails here."""
    found, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert kind in ("gauge", "counter")
            assert name not in types
            types[name] = kind
            continue
        match = re.fullmatch(
            r'(([a-z_:]+)(?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})?) (\S+)', line
        )
        assert match, line
        assert match[2] in types
        assert match[2].endswith("_total") == (types[match[2]] == "counter")
        assert match[1] not in found
        found[match[1]] = float(match[3])
    assert text.endswith("\n")
    return found


@pytest.fixture
def own(browser):
    return browser("http://127.0.0.1:8501", "127.0.0.1")


def test_the_metrics_are_what_the_store_and_the_engine_say(own, store):
    run = store.claim(store.add(SPEC).id, "me")
    store.begin(run.id, "me")
    store.append(run.id, "me", Epoch(1, 0.1, 0.9, 0.1, 0.9, 12.5, 100.0))
    store.end(run.id, "me", Status.FINISHED)
    waiting = store.add(RunSpec("plain", {}, "mnist", Recipe(seed=7), "0"))
    store.claim(waiting.id, "me")
    uploads.counted.take("a", None)
    uploads.counted.refuse()
    status.report(lambda: EngineStatus(is_alive=True, restarts=3))
    answer = own.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = numbers(answer.text)
    assert found['explorer_runs{status="finished"}'] == 1
    assert found['explorer_runs{status="queued"}'] == 1
    assert found['explorer_runs{status="failed"}'] == 0
    assert found["explorer_queue_length"] == 1
    assert found["explorer_trained_seconds"] == 12.5
    assert found["explorer_worker_up"] == 1
    assert found["explorer_worker_restarts_total"] == 3
    assert found["explorer_uploads_total"] == 1
    assert found["explorer_uploads_refused_total"] == 1
    assert found["explorer_database_up"] == 1
    assert found['explorer_resident_memory_bytes{process="server"}'] > 10**7
    assert found['explorer_resident_memory_bytes{process="children"}'] >= 0


def test_without_a_database_the_rest_is_said(own, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no database")
    monkeypatch.setenv("EXPLORER_DATABASE_URL", f"sqlite:///{tmp_path}/file")
    found = numbers(own.get("/metrics").text)
    assert found["explorer_database_up"] == 0
    assert "explorer_queue_length" not in found
    assert found["explorer_uploads_total"] == 0


def test_text_in_a_label_cannot_end_it():
    metric = metrics.Metric("a", "gauge", "A.", {(("b", 'x"} 1\n\\'),): 1.0})
    assert metrics.exposition([metric]).splitlines()[2] == r'a{b="x\"} 1\n\\"} 1'


@pytest.mark.usefixtures("hosted")
@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, 403),
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        (f"Basic {TOKEN}", 403),
        ("Bearer", 403),
        ("Bearer ", 403),
        (f"Bearer {TOKEN}x", 403),
        (f"Bearer {TOKEN[1:]}", 403),
        (TOKEN, 403),
    ],
)
def test_from_elsewhere_the_metrics_need_the_token(browser, monkeypatch, given, code):
    monkeypatch.setenv("EXPLORER_METRICS_TOKEN", TOKEN)
    headers = {"Authorization": given} if given else {}
    assert browser().get("/metrics", headers=headers).status_code == code


@pytest.mark.usefixtures("hosted")
def test_streamlits_own_metrics_are_as_private(browser, monkeypatch):
    monkeypatch.setenv("EXPLORER_METRICS_TOKEN", TOKEN)
    client = browser()
    assert client.get("/_stcore/metrics").status_code == 403
    assert client.get("/_stcore/metrics?families=x").status_code == 403
    known = client.get("/_stcore/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert known.text == "taken"


@pytest.mark.usefixtures("hosted")
def test_without_a_token_none_is_right(browser):
    for given in ("Bearer ", "Bearer None", "Bearer null"):
        assert browser().get("/metrics", headers={"Authorization": given}).status_code == 403


@pytest.mark.usefixtures("hosted")
def test_on_the_servers_machine_a_monitor_needs_no_token_unless_it_is_a_proxy(browser):
    here = ("http://127.0.0.1:8501", "127.0.0.1")
    assert browser(*here).get("/metrics").status_code == 200
    proxied = browser(*here, **{"X-Forwarded-For": "203.0.113.5"})
    assert proxied.get("/metrics").status_code == 403


def test_the_store_counts_what_it_cannot_read_and_what_was_left(tmp_path, monkeypatch):
    store = RunStore(f"sqlite:///{tmp_path}/runs.sqlite")
    specs = [RunSpec("plain", {}, "mnist", Recipe(seed=n), "0") for n in range(3)]
    ids = [store.claim(store.add(spec).id, f"owner {n}").id for n, spec in enumerate(specs)]
    store.begin(ids[0], "owner 0")
    assert store.counts()[Status.QUEUED] == 2
    assert store.counts()[Status.RUNNING] == 1
    now = time.time()
    monkeypatch.setattr("explorer.runs.store.time.time", lambda: now + 3600)
    assert store.counts()[Status.INTERRUPTED] == 3
    assert sum(store.counts().values()) == 3
    assert store.counts()[Status.INTERRUPTED] == sum(
        run.status is Status.INTERRUPTED for run in store.runs()
    )
    store.close()
