"""What a page's browser may ask Streamlit for.

Streamlit also obeys what no page of ours sends: whoever opens a WebSocket may have all caches of
the server emptied, which would take the queue of runs and the plugins from everybody, and may ask
for the names of files in the checkout that were edited.
"""

from contextlib import suppress

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnected
from streamlit.proto.BackMsg_pb2 import BackMsg

UNHEARD = ("clear_cache", "load_git_info")


class IgnoreMessages:
    """Middleware: what no page of the app asks for does not reach Streamlit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the connection on."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return

        async def receive_heard() -> Message:
            while _is_unheard(message := await receive()):
                pass
            return message

        with suppress(WebSocketDisconnected):  # the browser left while it was told something
            await self._app(scope, receive_heard, send)


def _is_unheard(message: Message) -> bool:
    content = message.get("bytes")
    if message["type"] != "websocket.receive" or not content:
        return False
    try:
        return BackMsg.FromString(content).WhichOneof("type") in UNHEARD
    except DecodeError:  # Streamlit ends the connection
        return False
