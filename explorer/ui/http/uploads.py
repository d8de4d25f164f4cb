"""Uploads: counted, and refused where they are too large or too many."""

import threading
import time
from collections import OrderedDict

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from explorer.language import say
from explorer.settings import SettingsError
from explorer.ui import state
from explorer.ui.http import requests, visitors

PATH = "/_stcore/upload_file/"
ENVELOPE = 64 * 1024  # bytes around a file in a request
WINDOW = 60.0  # seconds
MOST_VISITORS = 10_000  # whose uploads are remembered


class Uploads:
    """The uploads since the server was started.

    Attributes:
        accepted: How many were let through.
        refused: How many were not.
    """

    def __init__(self) -> None:
        self.accepted = self.refused = 0
        self._moments: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, who: str, most: int | None) -> bool:
        """Return whether somebody may upload one more in this minute, and count it."""
        now = time.monotonic()
        with self._lock:
            moments = [m for m in self._moments.pop(who, ()) if m > now - WINDOW]
            is_free = most is None or len(moments) < most
            self._moments[who] = [*moments, now] if is_free else moments
            while len(self._moments) > MOST_VISITORS:
                self._moments.popitem(last=False)
            if is_free:
                self.accepted += 1
            else:
                self.refused += 1
            return is_free

    def refuse(self) -> None:
        """Count one that was not let through."""
        with self._lock:
            self.refused += 1


counted = Uploads()


class LimitUploads:
    """Middleware: an upload beyond a visitor's limits is refused before any of it is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http" or scope["method"] != "PUT" or PATH not in scope["path"]:
            return await self._app(scope, receive, send)
        with requests.speaking(scope):
            refusal = _refusal(scope)
        if refusal:
            return await refusal(scope, receive, send)
        await self._app(scope, receive, send)


def _refusal(scope: Scope) -> PlainTextResponse | None:
    try:
        settings = state.settings()
        if visitors.is_operators_request(scope):
            counted.take("operator", None)
            return None
        id = visitors.read_visitor(settings, requests.cookie(scope, visitors.VISITOR))
    except SettingsError as error:
        return PlainTextResponse(str(error), 503)
    if settings.upload_bytes is not None:
        length = Headers(scope=scope).get("content-length", "")
        if not length.isascii() or not length.isdigit():
            counted.refuse()
            return PlainTextResponse(say("An upload has to say how long it is."), 411)
        if len(length) > 18 or int(length) > settings.upload_bytes + ENVELOPE:
            counted.refuse()
            return PlainTextResponse(
                say(
                    "The file is larger than {most:g} MB; take a smaller one.",
                    most=settings.upload_bytes / 1e6,
                ),
                413,
            )
    most = settings.uploads_per_minute
    if not counted.take(id or requests.address(scope), most):
        return PlainTextResponse(
            say("At most {most} files can be uploaded in a minute; wait a little.", most=most or 0),
            429,
        )
    return None
