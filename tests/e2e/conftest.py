"""The real app, and a real browser before it."""

import os

import pytest
from playwright.sync_api import expect, sync_playwright
from serving import CHROMIUM, FLAGS, serving

expect.set_options(timeout=120_000)


@pytest.fixture(scope="module")
def app(tmp_path_factory, cache):
    """The address of an app with a store of its own."""
    with serving(tmp_path_factory.mktemp("app") / "runs.sqlite", cache) as (address, _):
        yield address


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("The browser tests need chromium, and .ci/run should have installed it.")
        pytest.skip("The browser tests need chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(60_000)
    yield page
    page.close()
