"""The real app, and a real browser in front of it."""

import html
import http.server
import os
import threading

import pytest
from playwright.sync_api import expect, sync_playwright
from serving import CHROMIUM, FLAGS, serving

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
def context(browser):
    """One visitor for all tests of a file, whose browser keeps the scripts that it has loaded."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture
def page(context):
    page = context.new_page()
    yield page
    page.close()


@pytest.fixture
def visit(browser):
    """Open an address as somebody else would."""
    contexts = []

    def open_page(address, **options):
        context = browser.new_context(viewport={"width": 1400, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


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
