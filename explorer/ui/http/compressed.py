"""Scripts and styles, compressed once for all browsers that were never here.

Streamlit sends its own files as they are, in small pieces, and Starlette compresses Plotly's
library anew for each who asks: some 0.1 s of the processor for each browser. Here they are read
and compressed when first asked for, and kept in memory.
"""

import asyncio
import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.charts.style import LIBRARY, LIBRARY_ADDRESS

YEAR = 365 * 24 * 3600  # seconds
MOST_BYTES = 2**24  # of a file; a larger one is sent as it was
LEVEL = 9  # of gzip: it is done once
FOLDERS = {"/static": Path(streamlit.__file__).parent / "static" / "static", "/plotly": LIBRARY}
HASHED = "/static/"  # where names of files have a hash of what is in them, so these never change
VERSION = LIBRARY_ADDRESS.partition("?")[2].encode()  # the query that names a file's version
PRELOAD = f"<{LIBRARY_ADDRESS}>; rel=preload; as=script"


@dataclass(frozen=True, slots=True)
class Packed:
    """A file as it is sent.

    Attributes:
        body: Compressed.
        tag: Identifies its content.
        type: Its media type.
    """

    body: bytes
    tag: str
    type: str


def pack(file: Path) -> Packed:
    """Read and compress a file."""
    content = file.read_bytes()
    # Without a time, so that equal content is sent as equal bytes after each start.
    body = gzip.compress(content, LEVEL, mtime=0)
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return Packed(body, tag, mimetypes.guess_type(file.name)[0] or "application/octet-stream")


def _naming_library(send: Send) -> Send:
    """Have a browser load Plotly's library along with a page, before a chart asks for it."""

    async def send_with_link(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("content-type", "").startswith("text/html"):
                headers.append("link", PRELOAD)
        await send(message)

    return send_with_link


class KeepCompressed:
    """Middleware: answers for the scripts and styles that do not change while the app runs.

    What it does not know, a browser that does not take gzip, and a request for a part of a file
    are left to the app.

    Args:
        app: The app.
        folders: By the path under which it is served, without a slash at the end.
    """

    def __init__(self, app: ASGIApp, folders: Mapping[str, Path] = FOLDERS) -> None:
        self._app = app
        # A path is looked up here and never made into a name of a file.
        self._files = {
            f"{path}/{file.relative_to(folder).as_posix()}": file
            for path, folder in folders.items()
            for file in folder.rglob("*")
            if file.suffix in (".js", ".css") and file.stat().st_size <= MOST_BYTES
        }
        self._packed: dict[Path, Packed] = {}
        self._packing: dict[Path, asyncio.Task[Packed]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file that is kept, or pass the request on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        file, headers = self._files.get(scope["path"]), Headers(scope=scope)
        if (
            file is None
            or scope["method"] != "GET"
            or "range" in headers
            or "gzip" not in headers.get("accept-encoding", "")
        ):
            return await self._app(scope, receive, _naming_library(send))
        try:
            packed = self._packed.get(file) or await self._pack(file)
        except OSError:  # it was there when the app started
            return await self._app(scope, receive, send)
        own = {"etag": packed.tag, "vary": "Accept-Encoding"}
        lasts = scope["path"].startswith(HASHED) or scope["query_string"] == VERSION
        own["cache-control"] = f"public, immutable, max-age={YEAR}" if lasts else "no-cache"
        if headers.get("if-none-match") == packed.tag:
            return await Response(status_code=304, headers=own)(scope, receive, send)
        own["content-encoding"] = "gzip"
        response = Response(packed.body, headers=own, media_type=packed.type)
        await response(scope, receive, send)

    async def _pack(self, file: Path) -> Packed:
        """Pack a file beside the event loop; of many who ask at once, one does."""
        if file not in self._packing:
            self._packing[file] = asyncio.create_task(asyncio.to_thread(pack, file))
        try:
            # Another waits for it too, when this browser goes away.
            packed = await asyncio.shield(self._packing[file])
            self._packed[file] = packed
        finally:
            if file in self._packing and self._packing[file].done():
                del self._packing[file]
        return packed
