"""What a page knows of who has it open, in the real server and a real browser."""

import contextlib
import re
import socket
import socketserver
import threading
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from serving import serving

pytestmark = pytest.mark.browser

APP = """
from pathlib import Path

from streamlit import App

from explorer.ui.server import MIDDLEWARE, ROUTES, show_failure

app = App(
    Path(__file__).with_name("page.py"),
    routes=ROUTES,
    middleware=MIDDLEWARE,
    on_script_error=show_failure,
)
"""
PAGE = """
import streamlit as st

from explorer.ui.failure import for_visitor
from explorer.ui.http.visitors import acting_visitor, visitor

who = visitor()
st.text(f"{who.id} operator={who.is_operator} known={who.is_known}")
st.text(for_visitor("the file /srv/nets/my_net.py"))
if st.button("Act"):
    st.text(f"acted as {acting_visitor().id}")
if st.button("Fail"):
    {}["secret of the server"]
"""


@pytest.fixture(scope="module", params=["hosted", "home"])
def served(request, tmp_path_factory, cache, other_site):
    """How the app is served, and its address."""
    folder = tmp_path_factory.mktemp("who")
    (folder / "app.py").write_text(APP)
    (folder / "page.py").write_text(PAGE)
    settings = {"EXPLORER_HOSTED": "1" if request.param == "hosted" else "0"}
    origin = f"http://127.0.0.1:{other_site.server_port}"
    settings |= {"EXPLORER_SECRET_KEY": "k" * 40, "EXPLORER_FRAME_ORIGINS": origin}
    app, runs = folder / "app.py", folder / "runs.sqlite"
    with serving(runs, cache, app, may_fail=True, **settings) as (address, _):
        yield request.param, address


@contextlib.contextmanager
def proxy(target: int):
    """Serve what is served at a port at another; each connection begins with `X-Forwarded-For`."""

    class Proxy(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.create_connection(("localhost", target)) as server:
                request, line = self.request.recv(2**16).split(b"\r\n", 1)
                server.sendall(request + b"\r\nX-Forwarded-For: 203.0.113.5\r\n" + line)
                back = threading.Thread(target=pass_on, args=(server, self.request), daemon=True)
                back.start()
                pass_on(self.request, server)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("localhost", 0), Proxy) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_address[1]
        listening.shutdown()


def pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(2**16):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


def who(page) -> tuple[str, str, str]:
    line = page.get_by_text(re.compile("operator="))
    expect(line).to_be_visible()
    id, operator, known = line.inner_text().split()
    return id, operator, known


def test_a_visitor_is_the_same_at_each_visit_from_the_first_on(served, visit):
    kind, address = served
    page = visit(address)
    first = who(page)
    if kind == "home":
        assert first == ("home", "operator=True", "known=True")
        assert page.context.cookies() == [] or "explorer-visitor" not in str(page.context.cookies())
        expect(page.get_by_text("the file /srv/nets/my_net.py")).to_be_visible()
        return
    assert first[1:] == ("operator=False", "known=True")
    assert re.fullmatch("[0-9a-f]{32}", first[0])
    expect(page.get_by_text("the file my_net.py")).to_be_visible()
    page.get_by_role("button", name="Act").click()
    expect(page.get_by_text(f"acted as {first[0]}")).to_be_visible()
    page.reload()
    assert who(page) == first
    assert who(visit(address))[0] != first[0]


def test_a_page_that_came_through_a_proxy_is_a_visitors_at_home_too(served, visit):
    _, address = served
    with proxy(urlsplit(address).port) as port:
        page = visit(f"http://localhost:{port}")
        assert who(page)[1:] == ("operator=False", "known=True")


@pytest.mark.parametrize("forged", ["0" * 32, "", "a.b.c", "%00"])
def test_a_forged_cookie_is_replaced_at_the_next_page(served, visit, forged):
    kind, address = served
    page = visit(address)
    if kind == "home":
        assert who(page)[0] == "home"
        return
    cookie = {"name": "explorer-visitor", "value": forged, "url": address}
    page.context.add_cookies([cookie])
    page.reload()
    id, operator, known = who(page)
    assert id != forged
    assert (operator, known) == ("operator=False", "known=True")


def test_who_keeps_no_cookie_may_watch_and_is_told_to_reload(served, visit, other_site):
    """As in a frame of another site, for which a browser keeps no cookie without encryption."""
    kind, address = served
    page = visit(f"http://127.0.0.1:{other_site.server_port}/?{address}")
    frame = page.frame_locator("iframe")
    if kind == "home":
        assert who(frame)[2] == "known=True"
        return
    assert who(frame)[1:] == ("operator=False", "known=False")
    frame.get_by_role("button", name="Act").click()
    expect(frame.get_by_text("reload the page, and allow cookies")).to_be_visible()


def test_what_fails_shows_a_visitor_a_number_and_the_operator_the_traceback(served, visit):
    kind, address = served
    page = visit(address)
    who(page)
    page.get_by_role("button", name="Fail").click()
    if kind == "home":
        page.get_by_text("Technical details").click()
        expect(page.get_by_text("secret of the server")).not_to_have_count(0)
    else:
        expect(page.get_by_text(re.compile(r"Reference [0-9a-f]{8}:"))).to_be_visible()
        for told in ("secret of the server", "Traceback", "KeyError", "page.py"):
            expect(page.get_by_text(told)).to_have_count(0)
