import contextlib

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from explorer.ui.http import requests
from explorer.ui.server import MIDDLEWARE

LOCAL = ("http://localhost:8501", "127.0.0.1")


def seen_from(client) -> str:
    return client.get("/").text.removeprefix("<p>").removesuffix("</p>")


@pytest.mark.parametrize(
    ("address", "client"),
    [
        LOCAL,
        ("http://127.0.0.1:8501", "127.0.0.1"),
        ("http://[::1]:8501", "::1"),
        ("http://app.localhost", "127.0.0.53"),
        ("http://localhost", "::ffff:127.0.0.1"),
    ],
)
def test_a_request_of_this_machine_to_this_machine_is_from_here(browser, address, client):
    assert seen_from(browser(address, client)) == "here"


@pytest.mark.parametrize(
    ("address", "client", "headers"),
    [
        ("http://192.168.0.7:8501", "192.168.0.9", {}),
        ("http://localhost:8501", "192.168.0.9", {}),  # the name is what the client says
        ("http://attacker.example:8501", "127.0.0.1", {}),  # a name that was made to lead here
        ("http://localhost.attacker.example", "127.0.0.1", {}),
        (*LOCAL, {"X-Forwarded-For": "127.0.0.1"}),
        (*LOCAL, {"Forwarded": "for=127.0.0.1"}),
        (*LOCAL, {"X-Real-IP": "127.0.0.1"}),
        (*LOCAL, {"Via": "1.1 proxy"}),
        (*LOCAL, {"X-Forwarded-Host": "localhost"}),
    ],
)
def test_any_other_request_is_from_elsewhere(browser, address, client, headers):
    assert seen_from(browser(address, client, **headers)) == "elsewhere"


@pytest.mark.parametrize("name", ["X-Explorer-From", "x-explorer-from", "X_Explorer_From"])
def test_a_client_cannot_say_where_it_is_from(browser, name):
    client = browser()
    assert client.get("/", headers={name: "here"}).text == "<p>elsewhere</p>"
    with client.websocket_connect("/_stcore/stream", headers={name: "here"}) as socket:
        assert socket.receive_json() == {"from": "elsewhere"}


def test_a_websocket_says_where_it_is_from(browser):
    with browser(*LOCAL).websocket_connect("ws://localhost:8501/_stcore/stream") as socket:
        assert socket.receive_json() == {"from": "here"}


def test_what_the_app_does_when_the_server_starts_and_ends_passes_the_middleware():
    happened = []

    @contextlib.asynccontextmanager
    async def lifespan(_):
        happened.append("started")
        yield
        happened.append("ended")

    # A server takes an error here for an app that has nothing to start, and says nothing.
    with TestClient(Starlette(middleware=MIDDLEWARE, lifespan=lifespan)):
        assert happened == ["started"]
    assert happened == ["started", "ended"]


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        (("203.0.113.5", 1), "203.0.113.5"),
        (("::ffff:203.0.113.5", 1), "203.0.113.5"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (None, "unknown"),
        (("testclient", 1), "unknown"),
    ],
)
def test_an_address_of_the_newer_kind_counts_with_its_whole_network(client, counted):
    assert requests.address({"client": client}) == counted


def origin(headers: dict[str, str], public: str | None = None) -> bool:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return requests.is_own_origin({"headers": raw}, public)


def test_a_request_of_the_apps_own_page_is_known_by_its_origin():
    assert origin({"Host": "a.org", "Origin": "https://a.org"})
    assert origin({"Host": "a.org"})
    assert origin({"Host": "app:8501", "Origin": "https://a.org"}, "https://a.org/x")
    for other in ("https://b.org", "null", "", "http://[", "https://a.org.b.org"):
        assert not origin({"Host": "a.org", "Origin": other})
    assert not origin({"Host": "a.org", "Sec-Fetch-Site": "cross-site"})
    assert not origin({"Host": "a.org", "Origin": "https://a.org", "Sec-Fetch-Site": "same-site"})


@pytest.mark.parametrize(
    ("liked", "spoken"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("zh-Hans-CN", "zh-CN"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("fr;q=0.9, zh ; q=0.5, en;q=0.4", "zh-CN"),
        ("en;q=0.1,zh;q=0.2", "zh-CN"),
        ("zh;q=0,en", "en"),
        ("fr,de;q=0.5", "en"),
        ("*", "en"),
        ("zh;q=x,;;,,q=", "en"),
        ("", "en"),
    ],
)
def test_an_answer_is_in_the_language_that_is_liked_best(liked, spoken):
    headers = [(b"accept-language", liked.encode())] if liked else []
    assert requests.language_of({"type": "http", "headers": headers}) == spoken
