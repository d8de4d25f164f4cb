"""The routes and the middleware of the app around one small page, asked as a browser asks."""

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from explorer.engines import status
from explorer.passwords import hash_password
from explorer.ui import state
from explorer.ui.http import sign_in, visitors
from explorer.ui.http.throttle import Throttle
from explorer.ui.http.uploads import PATH
from explorer.ui.server import MIDDLEWARE, ROUTES

PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Site": "none"}


async def _page(request):
    return HTMLResponse(f"<p>{request.headers.get('x-explorer-from')}</p>")


async def _taken(request):
    await request.body()
    return PlainTextResponse("taken")


async def _socket(socket):
    await socket.accept()
    await socket.send_json({"from": socket.headers.get("x-explorer-from")})
    await socket.close()


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    """Let each test set the environment, and begin without what others did."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(sign_in, "throttle", Throttle())
    monkeypatch.setattr(visitors, "_signed_out", set())
    caches = (state.settings, state.store)  # a test may put others in their place
    for cached in caches:
        cached.clear()
    yield
    status.report(None)
    for cached in caches:
        cached.clear()


@pytest.fixture
def hosted(monkeypatch):
    """An app for others, whose operator has a password."""
    monkeypatch.setenv("EXPLORER_HOSTED", "1")
    monkeypatch.setenv("EXPLORER_SECRET_KEY", "k" * 40)
    monkeypatch.setenv("EXPLORER_OPERATOR_PASSWORD_HASH", HASH)


@pytest.fixture
def browser():
    """Return a function that opens a browser with cookies of its own, at an address."""

    def open_browser(
        base_url: str = "http://explorer.example", client: str = "203.0.113.5", **headers: str
    ) -> TestClient:
        routes = [
            Route("/", _page),
            Route("/runs", _page),
            Route("/static/x.js", _taken),
            Route("/_stcore/metrics", _taken),
            Route(f"{PATH}session/file", _taken, methods=["PUT"]),
            WebSocketRoute("/_stcore/stream", _socket),
            *ROUTES,
        ]
        return TestClient(
            Starlette(routes=routes, middleware=MIDDLEWARE),
            base_url=base_url,
            client=(client, 50_000),
            headers={**BROWSER, **headers},
            follow_redirects=False,
        )

    return open_browser
