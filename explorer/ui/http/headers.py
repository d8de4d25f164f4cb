"""Headers that tell the browser what a page of this app may do, and who may show it in a frame.

The content policy holds with Streamlit, which needs four exceptions:

- the one inline script of its page, by the hash of what the installed version has;
- `blob:` scripts, since it loads the JavaScript of components so;
- WebAssembly, with which its messages are decoded;
- inline styles, which its widgets are drawn with.

Nothing is loaded from any other address.
"""

import base64
import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.settings import SettingsError
from explorer.ui import state
from explorer.ui.http import requests
from explorer.ui.http.sign_in import PAGE

YEAR = 365 * 24 * 3600  # seconds
_NOTHING = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer"),
    *("microphone", "midi", "payment", "serial", "usb"),
)
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")


def security_headers(host: str, *, https: bool, frames: tuple[str, ...]) -> Mapping[str, str]:
    """Return the headers of every answer.

    Args:
        host: The name by which the browser reached the app, of a request's `Host` header.
        https: Whether the browser's connection is encrypted.
        frames: Origins of other pages that may show the app in a frame.
    """
    headers = {
        "Content-Security-Policy": content_policy(host, frames),
        "X-Content-Type-Options": "nosniff",
        # Whoever a link leads to learns nothing of what somebody looked at; forms need the origin.
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{name}=()" for name in _NOTHING),
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if not frames:
        headers["X-Frame-Options"] = "SAMEORIGIN"  # knows no other origin
    if https:
        headers["Strict-Transport-Security"] = f"max-age={YEAR}"
    return headers


def content_policy(host: str, frames: tuple[str, ...]) -> str:
    """Return the content policy of every answer; the arguments are as in `security_headers`."""
    # Some browsers do not take 'self' for the WebSocket.
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["script-src 'self' blob: 'wasm-unsafe-eval'", *_inline_scripts()]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' data: blob:",
            f"connect-src 'self'{sockets}",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            " ".join(["frame-ancestors 'self'", *frames]),
        ]
    )


class AddSecurityHeaders:
    """Middleware: every answer has the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer with the headers."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        added = security_headers(
            Headers(scope=scope).get("host", ""),
            https=requests.is_https(scope),
            # A password is typed into no frame.
            frames=() if scope["path"].startswith(PAGE) else _frames(),
        )

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(added)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _frames() -> tuple[str, ...]:
    try:
        return state.settings().frame_origins
    except SettingsError:  # the page says so
        return ()


@functools.cache
def _inline_scripts() -> tuple[str, ...]:
    """Return the hashes of the inline scripts in Streamlit's own page."""
    page = Path(streamlit.__file__).parent / "static" / "index.html"
    found = re.findall(r"<script>(.*?)</script>", page.read_text("utf-8"), re.DOTALL)
    hashes = (hashlib.sha256(text.encode()).digest() for text in found)
    return tuple(f"'sha256-{base64.b64encode(each).decode()}'" for each in hashes)
