"""The operator's sign-in by password: two small pages outside Streamlit, which sets no cookies."""

import hmac
import html
import logging
import secrets
import threading
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from explorer import passwords
from explorer.language import current, plural, say
from explorer.settings import SettingsError
from explorer.ui import state
from explorer.ui.http import requests, visitors
from explorer.ui.http.throttle import Throttle

SIGN_IN, SIGN_OUT = "/operator/sign-in", "/operator/sign-out"
PAGE = "/operator"
LONGEST_FORM = 8_192  # bytes

_FORM = "explorer-form"  # cookie: the same random text as in the form
_FORM_SECONDS = 3600

_log = logging.getLogger(__name__)
throttle = Throttle()
# One guess takes 32 MiB; many at once would take the server's memory.
_one_at_a_time = threading.Lock()

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 24rem; margin: 15vh auto; padding: 0 1rem; }
label, input, button { display: block; width: 100%; font: inherit; box-sizing: border-box; }
input, button { padding: .5rem; margin: .5rem 0 1rem; }
"""


_Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


def _in_language(handler: _Handler) -> _Handler:
    """Answer in the language of the browser's user."""

    async def answer(request: Request) -> Response:
        with requests.speaking(request.scope):
            return await handler(request)

    return answer


async def _form(request: Request) -> Response:
    if reason := _unavailable():
        return _answer(request, say("Sign in"), f"<p>{html.escape(reason)}</p>", status=404)
    return _sign_in_page(request)


async def _sign_in(request: Request) -> Response:
    if reason := _unavailable():
        return _answer(request, say("Sign in"), f"<p>{html.escape(reason)}</p>", status=404)
    fields = await _fields(request)
    if fields is None:
        return _sign_in_page(request, say("The form was too old; type the password again."), 403)
    address = requests.address(request.scope)
    is_here = requests.is_from_here(request.scope)
    if wait := throttle.begin(address, is_exempt_from_total=is_here):
        problem = say("Too many attempts; wait {time}.", time=_time(wait))
        answer = _sign_in_page(request, problem, 429)
        answer.headers["Retry-After"] = str(wait)
        return answer
    settings = state.settings()
    if not await run_in_threadpool(_matches, fields["password"], settings.operator_password_hash):
        _log.warning("A wrong password of the operator, from %s", address)
        return _sign_in_page(request, say("That is not the password."), 403)
    throttle.succeed(address)
    _log.info("The operator signed in, from %s", address)
    return _home(request, visitors.new_operator_cookie(settings), seconds=visitors.OPERATOR_SECONDS)


async def _ask_to_sign_out(request: Request) -> Response:
    title = say("Sign out")
    return _answer(request, title, _form_text(SIGN_OUT, title, "", _token(request)))


async def _sign_out(request: Request) -> Response:
    if await _fields(request) is None:
        return RedirectResponse(SIGN_OUT, status_code=303)
    given = requests.cookie(request.scope, visitors.OPERATOR)
    visitors.sign_out(state.settings(), given)
    return _home(request, "", seconds=0)


ROUTES = [
    Route(SIGN_IN, _in_language(_form), methods=["GET"]),
    Route(SIGN_IN, _in_language(_sign_in), methods=["POST"]),
    Route(SIGN_OUT, _in_language(_ask_to_sign_out), methods=["GET"]),
    Route(SIGN_OUT, _in_language(_sign_out), methods=["POST"]),
]


def is_available() -> bool:
    """Return whether the operator has a password, so that there is something to sign in with."""
    return not _unavailable()


def _unavailable() -> str:
    try:
        if state.settings().operator_password_hash:
            return ""
    except SettingsError as error:
        return str(error)
    return say(
        "The operator has no password; `explorer hash-password` prints the setting that gives "
        "them one."
    )


def _matches(password: str, hashed: str | None) -> bool:
    with _one_at_a_time:
        return hashed is not None and passwords.matches(password, hashed)


async def _fields(request: Request) -> dict[str, str] | None:
    """Return the fields of a form that this app's own page sent; `None` of any other."""
    if not requests.is_own_origin(request.scope, state.settings().public_url):
        return None
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LONGEST_FORM:
            return None
    found = parse_qs(content.decode("utf-8", errors="replace"), keep_blank_values=True)
    fields = {name: found.get(name, [""])[0] for name in ("token", "password")}
    expected = requests.cookie(request.scope, _FORM) or ""
    is_ours = len(expected) >= 32 and hmac.compare_digest(
        fields["token"].encode(), expected.encode("latin-1", errors="replace")
    )
    return fields if is_ours else None


def _sign_in_page(request: Request, problem: str = "", status: int = 200) -> HTMLResponse:
    label = html.escape(say("Password of the operator"))
    field = (
        f"<label>{label}"
        '<input type="password" name="password" required autofocus '
        'autocomplete="current-password"></label>'
    )
    form = _form_text(SIGN_IN, say("Sign in"), field, _token(request))
    said = f'<p role="alert">{html.escape(problem)}</p>' if problem else ""
    return _answer(request, say("Sign in"), said + form, status)


def _token(request: Request) -> str:
    # The same for all forms that are open at once.
    given = requests.cookie(request.scope, _FORM) or ""
    token = given if len(given) >= 32 and given.replace("-", "").replace("_", "").isalnum() else ""
    request.state.token = token or secrets.token_urlsafe(32)
    return str(request.state.token)


def _form_text(action: str, button: str, fields: str, token: str) -> str:
    return (
        f'<form method="post" action="{action}">'
        f'<input type="hidden" name="token" value="{html.escape(token)}">{fields}'
        f"<button>{html.escape(button)}</button></form>"
    )


def _answer(request: Request, title: str, body: str, status: int = 200) -> HTMLResponse:
    title, back = html.escape(title), html.escape(say("Back to the app"))
    answer = HTMLResponse(
        f'<!doctype html><html lang="{current()}"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style><main><h1>{title}</h1>{body}"
        f'<p><a href="{PAGE}">{back}</a></p></main></html>',
        status_code=status,
        headers={"Cache-Control": "no-store"},
    )
    if token := getattr(request.state, "token", None):
        answer.headers.append("set-cookie", _cookie(request, _FORM, token, _FORM_SECONDS))
    return answer


def _home(request: Request, value: str, seconds: int) -> Response:
    answer = RedirectResponse(PAGE, status_code=303, headers={"Cache-Control": "no-store"})
    cookie = _cookie(request, visitors.OPERATOR, value, seconds)
    answer.headers.append("set-cookie", cookie)
    return answer


def _cookie(request: Request, name: str, value: str, seconds: int) -> str:
    https = requests.is_https(request.scope)
    return requests.set_cookie_header(name, value, seconds=seconds, https=https, strict=True)


def _time(seconds: int) -> str:
    if seconds < 120:
        return plural("{n} second", "{n} seconds", seconds)
    return plural("{n} minute", "{n} minutes", -(-seconds // 60))
