"""What a request says of where it is from."""

import ipaddress
import re
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from explorer import language

# The middleware says by this header, which no client can set, whether a request is from this
# machine; a page reads it from the handshake of its WebSocket.
FROM = "x-explorer-from"
HERE, ELSEWHERE = "here", "elsewhere"

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_QUALITY = re.compile(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*")
_MACHINE = ("/_stcore/", "/static/", "/media/", "/component/", "/plotly/")


def is_loopback(host: str | None) -> bool:
    """Return whether a host, by name or by number, is this machine alone."""
    name = (host or "").strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    number = _number(name)
    return number is not None and number.is_loopback


def is_from_here(scope: Scope) -> bool:
    """Return whether a request was made on this machine, to this machine.

    One that came through a proxy was not, wherever the proxy is; nor was one for another name, as
    that of a page elsewhere whose name was made to lead here.
    """
    headers = Headers(scope=scope)
    if any(name in headers for name in _FORWARDED):
        return False
    client = scope.get("client")
    if not client or not is_loopback(client[0]):
        return False
    return is_loopback(_name(headers.get("host", "")))


def is_https(scope: Scope) -> bool:
    """Return whether the browser's connection is encrypted, if need be as far as a proxy."""
    said = Headers(scope=scope).get("x-forwarded-proto", "").split(",")[0].strip().lower()
    return scope.get("scheme") in ("https", "wss") or said == "https"


def address(scope: Scope) -> str:
    """Return the address that a request counts for, of an IPv6 one its network.

    It is what the server says: behind a proxy that it trusts, that of the proxy's client.
    """
    client = scope.get("client")
    found = _number(client[0] if client else "")
    if found is None:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def cookie(scope: Scope, name: str) -> str | None:
    """Return a cookie's value; `None` if there is none."""
    for header in Headers(scope=scope).getlist("cookie"):
        for part in header.split(";"):
            key, sign, value = part.strip().partition("=")
            if sign and key == name:
                return value
    return None


def speaking(scope: Scope) -> AbstractContextManager[None]:
    """Speak within the language of an answer that a browser shows without a page of the app."""
    return language.speaking(language_of(scope))


def language_of(scope: Scope) -> str:
    """Return the language that a browser's user likes best of those there are, or English."""
    liked: list[tuple[float, str]] = []
    for header in Headers(scope=scope).getlist("accept-language"):
        for item in header.split(","):
            name, _, quality = item.partition(";")
            found = _QUALITY.fullmatch(quality)
            liked.append((float(found[1]) if found else float(not quality), name.strip()))
    liked.sort(key=lambda each: -each[0])  # of equal ones, the first comes first
    names = (language.match(name) for quality, name in liked if quality)
    return next(filter(None, names), language.ENGLISH)


def asks_for_a_page(scope: Scope) -> bool:
    """Return whether a browser asks for a page, not for a part of one."""
    return (
        scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and "text/html" in Headers(scope=scope).get("accept", "")
        and not scope["path"].startswith(_MACHINE)
    )


def set_cookie_header(
    name: str,
    value: str,
    *,
    seconds: int,
    https: bool,
    embedded: bool = False,
    strict: bool = False,
) -> str:
    """Return the header that sets a cookie which no script can read.

    Args:
        name: The cookie's name.
        value: The cookie's value.
        seconds: How long it is valid; 0 removes it.
        https: Whether the browser's connection is encrypted.
        embedded: Whether it is needed in a frame of another site's page, which https alone allows.
        strict: Whether it is only sent with requests of the app's own pages.
    """
    parts = [f"{name}={value}", "Path=/", f"Max-Age={seconds}", "HttpOnly"]
    if https:
        parts.append("Secure")
    if embedded and https:
        parts += ["SameSite=None", "Partitioned"]
    else:
        parts.append("SameSite=Strict" if strict else "SameSite=Lax")
    return "; ".join(parts)


class SayWhereFrom:
    """Middleware: each request carries the header `FROM`, whatever the client sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the header."""
        if scope["type"] in ("http", "websocket"):
            name = FROM.encode()
            # Python's servers give `-` and `_` apart, but a proxy may have made one of the other.
            others = [pair for pair in scope["headers"] if pair[0].replace(b"_", b"-") != name]
            place = HERE if is_from_here(scope) else ELSEWHERE
            scope = {**scope, "headers": [*others, (name, place.encode())]}
        await self._app(scope, receive, send)


def is_own_origin(scope: Scope, public_url: str | None) -> bool:
    """Return whether a request was made by a page of this app, or by no page.

    Args:
        scope: The request.
        public_url: The app's address where a proxy asks for it by another name.
    """
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        asked = urlsplit(origin).netloc
    except ValueError:
        return False
    own = {headers.get("host"), urlsplit(public_url or "").netloc}
    return bool(asked) and asked in own


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    # A socket for both kinds gives an address of the older kind in the form of the newer.
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _name(host: str) -> str:
    """Return a `Host` header without its port."""
    if host.startswith("["):
        return host.partition("]")[0]
    return host.partition(":")[0]
