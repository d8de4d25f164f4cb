"""The real app, and a real browser in front of it."""

import html
import http.server
import os
import threading

import pytest
from playwright.sync_api import expect, sync_playwright
from serving import CHROMIUM, FLAGS, serving

SIZE = {"width": 1400, "height": 900}

expect.set_options(timeout=120_000)


def pytest_collection_modifyitems(items):
    """Mark what needs a browser, which is all that is here."""
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def app(tmp_path_factory, cache):
    """The address of an app for tests that look and train nothing: its store stays empty."""
    with serving(tmp_path_factory.mktemp("app") / "runs.sqlite", cache) as (address, _):
        yield address


@pytest.fixture(scope="module")
def training_app(tmp_path_factory, cache):
    """The address of an app with a store of its own, for tests that train."""
    with serving(tmp_path_factory.mktemp("app") / "runs.sqlite", cache) as (address, _):
        yield address


@pytest.fixture(scope="module")  # its event loop would run on beside those of other tests
def browser():
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("The browser tests need chromium, and .ci/run should have installed it.")
        pytest.skip("The browser tests need chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def tabs(browser):
    """A tab of each visitor that the tests of a file have needed so far.

    A tab that has shown the app keeps its scripts compiled; a new one takes two seconds for them.
    """
    tabs = []
    yield tabs
    for tab in tabs:
        tab.context.close()


@pytest.fixture
def somebody(browser, tabs):
    """Return a tab of a visitor whom the app has not met, in a browser of their own, at each call.

    A permission that the visitor gives is one of Playwright's.
    """
    used = 0

    def come(*permissions):
        nonlocal used
        if used == len(tabs):
            context = browser.new_context(viewport=SIZE)
            context.set_default_timeout(60_000)
            tabs.append(context.new_page())
        tab = tabs[used]
        used += 1
        tab.context.grant_permissions(permissions)
        tab.set_viewport_size(SIZE)
        return tab

    yield come
    for tab in tabs[:used]:
        tab.context.clear_cookies()
        tab.context.clear_permissions()


@pytest.fixture
def page(somebody):
    return somebody()


@pytest.fixture
def visit(somebody):
    """Open an address as somebody else would."""

    def open_page(address, *permissions):
        page = somebody(*permissions)
        page.goto(address)
        return page

    return open_page


class _OtherSite(http.server.BaseHTTPRequestHandler):
    """Shows the address behind its question mark in a frame."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        address = html.escape(self.path.partition("?")[2])
        frame = f'<iframe src="{address}" width="1200" height="800"></iframe>'
        self.wfile.write(frame.encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def other_site():
    """A server of another site; 127.0.0.1 and localhost are two names and two origins of it."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _OtherSite) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
