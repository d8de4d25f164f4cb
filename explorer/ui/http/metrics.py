"""`/metrics`: numbers for Prometheus, for the operator, this machine, or whoever has the token."""

import hmac
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import psutil
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime

from explorer import __version__
from explorer.engines import status
from explorer.errors import ExplorerError
from explorer.runs.run import Status
from explorer.ui import state
from explorer.ui.http import health, requests, uploads, visitors

LASTING = 30.0  # seconds for which the sum over all epochs is kept
_STREAMLITS = "/_stcore/metrics"
_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class Metric(NamedTuple):
    """A family of numbers.

    Attributes:
        name: Its name, with the unit in it.
        kind: `gauge`, or `counter` of what only grows until the server is restarted.
        help: What it is.
        values: A number for each set of labels.
    """

    name: str
    kind: str
    help: str
    values: Mapping[tuple[tuple[str, str], ...], float]


def exposition(metrics: Iterable[Metric]) -> str:
    """Return metrics in the text format of Prometheus."""
    lines = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        for labels, value in metric.values.items():
            inside = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels)
            lines.append(f"{metric.name}{f'{{{inside}}}' if inside else ''} {value:.15g}")
    return "\n".join(lines) + "\n"


async def collect() -> list[Metric]:
    """Return what can be said now; what cannot is left out, as Prometheus expects."""
    found = [
        _one("explorer_info", "gauge", "The version that runs.", 1, version=__version__),
        _one("explorer_uploads_total", "counter", "Files taken.", uploads.counted.accepted),
        _one(
            "explorer_uploads_refused_total",
            "counter",
            "Files that were too large or too many.",
            uploads.counted.refused,
        ),
    ]
    try:
        counts = await health.ask(lambda: state.store().counts())
        seconds = await health.ask(_trained_seconds)
    except (ExplorerError, TimeoutError):
        found.append(_one("explorer_database_up", "gauge", "Whether the database answers.", 0))
    else:
        found += [
            _one("explorer_database_up", "gauge", "Whether the database answers.", 1),
            Metric(
                "explorer_runs",
                "gauge",
                "Runs by status.",
                {(("status", str(each)),): counts[each] for each in Status},
            ),
            _one("explorer_queue_length", "gauge", "Runs that wait.", counts[Status.QUEUED]),
            _one(
                "explorer_trained_seconds",
                "gauge",
                "Wall time of all finished epochs of all runs that are kept.",
                seconds,
            ),
        ]
    if engine := status.current():
        found += [
            _one("explorer_worker_up", "gauge", "Whether runs can be trained.", engine.is_alive),
            _one(
                "explorer_worker_restarts_total",
                "counter",
                "Workers that had to be replaced.",
                engine.restarts,
            ),
        ]
    found.append(
        Metric(
            "explorer_resident_memory_bytes",
            "gauge",
            "Resident memory of the server and of all processes below it.",
            {(("process", name),): value for name, value in (await health.ask(_memory)).items()},
        )
    )
    return [*found, *_sessions()]


async def _answer(request: Request) -> PlainTextResponse:
    if not is_allowed(request):
        return _refusal()
    text = exposition(await collect())
    return PlainTextResponse(text, media_type=_FORMAT, headers={"Cache-Control": "no-store"})


ROUTES = [Route("/metrics", _answer, methods=["GET"])]


class GuardStreamlitsMetrics:
    """Middleware: what Streamlit says of its caches and sessions is as private as our metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        is_asked = scope["type"] == "http" and scope["path"].rstrip("/").endswith(_STREAMLITS)
        if is_asked and not is_allowed(Request(scope)):
            return await _refusal()(scope, receive, send)
        await self._app(scope, receive, send)


def _refusal() -> PlainTextResponse:
    return PlainTextResponse(
        "The metrics are for the operator: sign in, ask from this machine, or send "
        "EXPLORER_METRICS_TOKEN as a bearer token.\n",
        403,
    )


def is_allowed(request: Request) -> bool:
    """Return whether a request may read the metrics."""
    if requests.is_from_here(request.scope):
        return True
    try:
        if visitors.is_operators_request(request.scope):
            return True
        token = state.settings().metrics_token
    except ExplorerError:
        return False
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), (token or "").encode())
    return kind.lower() == "bearer" and bool(token) and same


def _one(name: str, kind: str, help: str, value: float, **labels: str) -> Metric:
    return Metric(name, kind, help, {tuple(labels.items()): value})


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


_trained: tuple[float, float] | None = None  # when it was added up, and what came of it


def _trained_seconds() -> float:
    global _trained
    now = time.monotonic()
    if _trained is None or now > _trained[0] + LASTING:
        _trained = (now, state.store().trained_seconds())
    return _trained[1]


def _memory() -> dict[str, float]:
    own = psutil.Process()
    children = 0
    for child in own.children(recursive=True):
        try:
            children += child.memory_info().rss
        except psutil.Error:  # it has just ended
            continue
    return {"server": own.memory_info().rss, "children": children}


def _sessions() -> list[Metric]:
    if not runtime.exists():
        return []
    stats = runtime.get_instance().stats_mgr.get_stats(["active_sessions", "session_events"])
    found = []
    if active := stats.get("active_sessions"):
        value = sum(float(getattr(stat, "value", 0)) for stat in active)
        found.append(_one("explorer_sessions", "gauge", "Pages that are open in browsers.", value))
    if events := stats.get("session_events"):
        values = {
            tuple((getattr(stat, "labels", None) or {}).items()): float(getattr(stat, "value", 0))
            for stat in events
        }
        text = "Pages that were opened, opened again and closed."
        found.append(Metric("explorer_session_events_total", "counter", text, values))
    return found
