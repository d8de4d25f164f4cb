"""What a page's browser may ask Streamlit for, and what nobody may."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnected
from streamlit.proto.BackMsg_pb2 import BackMsg

from explorer.ui.http.messages import IgnoreMessages
from explorer.ui.server import MIDDLEWARE


async def _echo(socket):
    await socket.accept()
    while True:
        message = await socket.receive()
        if message["type"] != "websocket.receive":
            return
        content = message.get("bytes")
        await socket.send_bytes(content if content is not None else message["text"].encode())


@pytest.fixture
def socket():
    """A connection to a server that sends back what reaches it."""
    route = WebSocketRoute("/_stcore/stream", _echo)
    app = Starlette(routes=[route], middleware=[Middleware(IgnoreMessages)])
    with TestClient(app).websocket_connect("/_stcore/stream") as socket:
        yield socket


def message(**fields) -> bytes:
    return BackMsg(**fields).SerializeToString()


RERUN = message(rerun_script={"query_string": "a=b"})


def test_the_app_is_behind_it():
    assert IgnoreMessages in [each.cls for each in MIDDLEWARE]


@pytest.mark.parametrize("name", ["clear_cache", "load_git_info"])
def test_what_no_page_asks_for_does_not_reach_streamlit(socket, name):
    for content in (message(**{name: True}), message(**{name: True}) + b"\xfa\x7f\x01x"):
        socket.send_bytes(content)
        socket.send_bytes(RERUN)
        assert socket.receive_bytes() == RERUN


@pytest.mark.parametrize(
    "content", [RERUN, b"", b"\xff\xff", message(stop_script=True), message(app_heartbeat=True)]
)
def test_everything_else_reaches_it_as_it_was_sent(socket, content):
    socket.send_bytes(content)
    assert socket.receive_bytes() == content


def test_text_reaches_it_too(socket):
    socket.send_text("x")
    assert socket.receive_bytes() == b"x"


def test_a_browser_that_left_while_it_was_told_something_leaves_no_traceback():
    async def close_twice(socket):
        await socket.accept()
        await socket.close()
        await socket.close()

    app = Starlette(routes=[WebSocketRoute("/", close_twice)])
    with pytest.raises(WebSocketDisconnected), TestClient(app).websocket_connect("/") as socket:
        socket.receive()
    with TestClient(IgnoreMessages(app)).websocket_connect("/") as socket:
        assert socket.receive()["type"] == "websocket.close"
