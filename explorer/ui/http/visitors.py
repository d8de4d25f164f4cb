"""Who is who: the operator, and visitors, who are told apart by a signed cookie.

A visitor's cookie holds a random number and when it was given, and nothing about a person. It is
given with the page, so that the browser has it when the page's WebSocket connects.

The operator is whoever signed in. At home it is everyone on this machine: where `EXPLORER_HOSTED`
is off, a request that was made on this machine, to this machine and through no proxy is the
operator's, and gets no cookie. Streamlit listens on all interfaces unless told otherwise, so who
opens the app from another machine is a visitor there too.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

import itsdangerous
import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.errors import ExplorerError
from explorer.language import say
from explorer.settings import Settings, SettingsError
from explorer.ui import state
from explorer.ui.http import requests
from explorer.ui.http.keys import secret_key

VISITOR, OPERATOR = "explorer-visitor", "explorer-operator"  # cookies
DAY = 24 * 3600
VISITOR_SECONDS = 180 * DAY
OPERATOR_SECONDS = 12 * 3600
HOME = "home"  # the operator's id, at home

_ANONYMOUS = "anonymous"  # session key: the id of who has no cookie
_signed_out: set[str] = set()  # what operators signed out of, until the server restarts


class UnknownVisitorError(ExplorerError):
    """Somebody without a cookie asks for something that is done in their name."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who has a page open.

    Attributes:
        id: A random text, the same at each visit; `home` for the operator at home.
        is_operator: Whether everything is allowed.
        is_known: Whether the browser has the cookie of this id. Who is not known may watch.
    """

    id: str
    is_operator: bool = False
    is_known: bool = True


def visitor() -> Visitor:
    """Return who has this page open, in a script, a fragment or a callback of a page.

    Raises:
        SettingsError: The settings, or the key that signs cookies, cannot be used.
    """
    settings = state.settings()
    headers, cookies = st.context.headers, st.context.cookies
    # Without any header there is no browser, as in a test of a script.
    is_here = not headers or headers.get(requests.FROM) == requests.HERE
    if is_here and not settings.hosted:
        return Visitor(HOME, is_operator=True)
    is_operator = is_signed_in(settings, cookies.get(OPERATOR)) or _is_operators_account(settings)
    if id := read_visitor(settings, cookies.get(VISITOR)):
        return Visitor(id, is_operator)
    id = st.session_state.setdefault(_ANONYMOUS, _new_id())
    return Visitor(id, is_operator, is_known=is_operator)


def acting_visitor() -> Visitor:
    """Return who has this page open, before something is done in their name.

    Raises:
        UnknownVisitorError: They have no cookie, so nobody could tell later that it was theirs.
    """
    who = visitor()
    if not who.is_known:
        raise UnknownVisitorError(
            say(
                "Your browser has no cookie of this app, so what you start could not be told apart "
                "from what others start; reload the page, and allow cookies of this site if this "
                "sentence comes again."
            )
        )
    return who


def pseudonym(who: Visitor, purpose: str) -> str:
    """Return another name for a visitor, for one purpose.

    Whoever does not have the key of this app can tell neither whose it is nor that two of different
    purposes are one visitor's.
    """
    key = secret_key(state.settings()).encode()
    words = f"pseudonym\0{purpose}\0{who.id}".encode(errors="surrogatepass")
    return hmac.new(key, words, hashlib.sha256).hexdigest()


def read_visitor(settings: Settings, value: str | None) -> str | None:
    """Return the id in a visitor's cookie; `None` if it is not valid."""
    return _read(_visitor_signer(settings), value, VISITOR_SECONDS)


def is_signed_in(settings: Settings, value: str | None) -> bool:
    """Return whether an operator's cookie is valid."""
    id = _read(_operator_signer(settings), value, OPERATOR_SECONDS)
    return id is not None and id not in _signed_out


def new_operator_cookie(settings: Settings) -> str:
    """Return the value of a cookie that makes its browser the operator's for twelve hours."""
    return _operator_signer(settings).sign(_new_id()).decode()


def sign_out(settings: Settings, value: str | None) -> None:
    """Make an operator's cookie invalid, also for pages that are open with it."""
    if id := _read(_operator_signer(settings), value, OPERATOR_SECONDS):
        _signed_out.add(id)


def is_operators_request(scope: Scope) -> bool:
    """Return whether an HTTP request is the operator's: signed in, or at home on this machine."""
    settings = state.settings()
    if not settings.hosted and requests.is_from_here(scope):
        return True
    return is_signed_in(settings, requests.cookie(scope, OPERATOR))


class GiveVisitorCookie:
    """Middleware: a page brings its visitor a cookie, unless they are at home or have a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer with a cookie where one is due."""
        cookie = _due(scope) if requests.asks_for_a_page(scope) else None
        if cookie is None:
            return await self._app(scope, receive, send)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("set-cookie", cookie)
                # No cache on the way may give one visitor's cookie to another.
                if headers.get("cache-control") != "no-store":
                    headers["cache-control"] = "private, no-cache"
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def _due(scope: Scope) -> str | None:
    try:
        settings = state.settings()
        if not settings.hosted and requests.is_from_here(scope):
            return None
        given = requests.cookie(scope, VISITOR)
        signer = _visitor_signer(settings)
        if _read(signer, given, DAY):
            return None
        id = _read(signer, given, VISITOR_SECONDS) or _new_id()
    except SettingsError:
        return None  # the page says so
    return requests.set_cookie_header(
        VISITOR,
        signer.sign(id).decode(),
        seconds=VISITOR_SECONDS,
        https=requests.is_https(scope),
        embedded=bool(settings.frame_origins),
    )


def _is_operators_account(settings: Settings) -> bool:
    """Return whether who signed in by OpenID is named as the operator."""
    if not settings.operator_emails or st.user.get("is_logged_in") is not True:
        return False
    email = str(st.user.get("email") or "").casefold()
    known = {each.casefold() for each in settings.operator_emails}
    return email in known and st.user.get("email_verified") is not False


def _visitor_signer(settings: Settings) -> itsdangerous.TimestampSigner:
    return _signer(secret_key(settings), "visitor")


def _operator_signer(settings: Settings) -> itsdangerous.TimestampSigner:
    # Another password ends what was signed in with the one before.
    return _signer(secret_key(settings), f"operator {settings.operator_password_hash}")


def _signer(key: str, purpose: str) -> itsdangerous.TimestampSigner:
    return itsdangerous.TimestampSigner(
        key, salt=f"explorer {purpose}", key_derivation="hmac", digest_method=hashlib.sha256
    )


def _read(signer: itsdangerous.TimestampSigner, value: str | None, seconds: int) -> str | None:
    try:
        return signer.unsign(value or "", max_age=seconds).decode()
    except (itsdangerous.BadData, UnicodeError):
        return None


def _new_id() -> str:
    return secrets.token_hex(16)
