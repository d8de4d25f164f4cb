"""The server around the pages: what else it serves, and what it does before the first visitor."""

import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from streamlit import App

from explorer import logs
from explorer.charts.style import LIBRARY
from explorer.engines.machine import prepare_server
from explorer.errors import ExplorerError
from explorer.ui import state
from explorer.ui.failure import show as show_failure
from explorer.ui.http import glossary, health, metrics, sign_in
from explorer.ui.http.compressed import KeepCompressed
from explorer.ui.http.headers import AddSecurityHeaders
from explorer.ui.http.messages import IgnoreMessages
from explorer.ui.http.metrics import GuardStreamlitsMetrics
from explorer.ui.http.requests import SayWhereFrom
from explorer.ui.http.uploads import LimitUploads
from explorer.ui.http.visitors import GiveVisitorCookie
from explorer.ui.memory import Collector

__all__ = ["MIDDLEWARE", "ROUTES", "SCRIPT", "lifespan", "show_failure"]

prepare_server()

SCRIPT = Path(__file__).parent / "entry" / "script.py"

# Charts are drawn in the browser by Plotly's library, from the installed package.
ROUTES = [
    Mount("/plotly", StaticFiles(directory=LIBRARY)),
    *glossary.ROUTES,
    *health.ROUTES,
    *metrics.ROUTES,
    *sign_in.ROUTES,
]

# From the outside in: each request passes them in this order.
MIDDLEWARE = [
    Middleware(SayWhereFrom),
    Middleware(AddSecurityHeaders),
    Middleware(GuardStreamlitsMetrics),
    Middleware(LimitUploads),
    Middleware(GiveVisitorCookie),
    Middleware(KeepCompressed),
    Middleware(IgnoreMessages),
]


@contextlib.asynccontextmanager
async def lifespan(_: App) -> AsyncIterator[None]:
    """Load the plugins and start the worker while the first visitor is still on the way."""
    try:
        logs.start(state.settings().log_level, state.settings().log_format)
    except ExplorerError:  # the first page shows it
        logs.start("info")
    threading.Thread(target=state.warm_up, name="warm-up", daemon=True).start()
    collector = Collector()
    yield
    collector.close()
    state.shut_down()
