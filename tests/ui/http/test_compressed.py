import asyncio
import gzip
import re

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from explorer.charts.style import LIBRARY, LIBRARY_ADDRESS
from explorer.ui.http import compressed
from explorer.ui.http.compressed import VERSION, KeepCompressed

SCRIPT = "let answer = 42;\n" * 100


async def _left(request):
    return PlainTextResponse(f"left to the app: {request.url.path}")


@pytest.fixture
def packed(monkeypatch):
    """The names of files that were packed."""
    names = []
    original = compressed.pack
    monkeypatch.setattr(compressed, "pack", lambda file: names.append(file.name) or original(file))
    return names


@pytest.fixture
def app(tmp_path, packed):
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "static" / "js" / "own.1a2b.js").write_text(SCRIPT)
    (tmp_path / "static" / "font.woff2").write_bytes(b"as it is")
    (tmp_path / "secret.js").write_text("nothing for visitors")
    app = Starlette(routes=[Route("/{path:path}", _left)])
    return KeepCompressed(app, {"/static": tmp_path / "static", "/plotly": LIBRARY})


@pytest.fixture
def client(app):
    return TestClient(app)


def test_a_script_is_compressed_once_and_kept_by_browsers(client, packed):
    for _ in range(3):
        answer = client.get("/static/js/own.1a2b.js")
        assert answer.text == SCRIPT
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["content-type"].startswith("text/javascript")
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["vary"] == "Accept-Encoding"
        assert int(answer.headers["content-length"]) < len(SCRIPT) / 5
    assert packed == ["own.1a2b.js"]


def test_many_browsers_at_once_have_it_compressed_once(app, packed):
    async def ask(_):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/static/js/own.1a2b.js",
            "query_string": b"",
            "headers": [(b"accept-encoding", b"gzip")],
        }
        await app(scope, None, send)
        return b"".join(message.get("body", b"") for message in sent)

    async def all_ask():
        return await asyncio.gather(*map(ask, range(50)))

    bodies = asyncio.run(all_ask())
    assert [gzip.decompress(body).decode() for body in bodies] == [SCRIPT] * 50
    assert packed == ["own.1a2b.js"]


def test_plotly_is_kept_by_browsers_where_the_address_names_its_version(client):
    named = client.get(f"/plotly/plotly.min.js?{VERSION.decode()}")
    assert "immutable" in named.headers["cache-control"]
    assert named.content == (LIBRARY / "plotly.min.js").read_bytes()
    for query in ("", "?v=0.0.0"):
        assert client.get(f"/plotly/plotly.min.js{query}").headers["cache-control"] == "no-cache"


def test_what_a_browser_has_is_not_sent_again(client):
    tag = client.get("/static/js/own.1a2b.js").headers["etag"]
    again = client.get("/static/js/own.1a2b.js", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/static/js/own.1a2b.js", {"Accept-Encoding": "identity"}),
        ("/static/js/own.1a2b.js", {"Range": "bytes=0-10"}),
        ("/static/font.woff2", {}),
        ("/static/js/none.js", {}),
        ("/static/%2e%2e/secret.js", {}),
        ("/static/js/..%2f..%2fsecret.js", {}),
        ("/", {}),
    ],
)
def test_all_else_is_left_to_the_app(client, packed, path, headers):
    assert client.get(path, headers=headers).text.startswith("left to the app")
    assert packed == []


def test_a_file_that_is_gone_is_left_to_the_app(client, tmp_path):
    (tmp_path / "static" / "js" / "own.1a2b.js").unlink()
    for _ in range(2):
        assert client.get("/static/js/own.1a2b.js").text.startswith("left to the app")


def test_a_page_names_the_library_that_its_first_chart_will_load(tmp_path):
    async def page(_):
        return HTMLResponse("<p>A page</p>")

    app = Starlette(routes=[Route("/train", page), Route("/{path:path}", _left)])
    client = TestClient(KeepCompressed(app))
    link = client.get("/train").headers["link"]
    address = re.fullmatch(r"<(.+)>; rel=preload; as=script", link)[1]
    library = client.get(f"/{address}")
    assert "immutable" in library.headers["cache-control"]
    assert library.text == (LIBRARY / "plotly.min.js").read_text(encoding="utf-8")
    assert address == LIBRARY_ADDRESS
    assert "link" not in client.get("/healthz").headers
