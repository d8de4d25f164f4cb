"""A pupil, an attacker and the operator, on a server for others, each in a browser of their own."""

import re
from urllib.parse import quote

import pytest
from e2e.test_train import settled
from playwright.sync_api import expect
from serving import serving

from explorer.passwords import hash_password
from explorer.ui.http.sign_in import SIGN_IN

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
LINK = "[Log in again](https://evil.example/x)"
HOSTILE = [
    f"x`{LINK}",
    f"``{LINK} https://evil.example www.evil.example a@evil.example",
    "![](https://evil.example/x.png) <img src=https://evil.example/x.png> :red[x] :smile: $x^2$",
]
PLUGIN = '''
from torch import nn

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    register(Net, name="{name}")
    register(Broken)


class Net(nn.Sequential):
    """{text} in a summary.

    {text} in a description.
    """

    def __init__(self, num_classes, *, width: int = 8):
        super().__init__(nn.Flatten(), nn.LazyLinear(width), nn.Linear(width, num_classes))


class Broken(nn.Module):
    def __init__(self, num_classes):
        raise ValueError("{text} in " + __file__)
'''


@pytest.fixture(scope="module")
def hosted(tmp_path_factory, cache):
    """The address of a hosted app with a hostile plugin, and the folder of that."""
    folder = tmp_path_factory.mktemp("hosted")
    plugins = folder / "plugins"
    plugins.mkdir()
    text = f"{LINK} https://evil.example ![](https://evil.example/y.png) <b>evil</b>"
    source = PLUGIN.format(name=f"net {LINK}"[:50], text=text)
    (plugins / "hostile.py").write_text(source)
    environment = {
        "EXPLORER_HOSTED": "1",
        "EXPLORER_SECRET_KEY": "k" * 40,
        "EXPLORER_OPERATOR_PASSWORD_HASH": hash_password(PASSWORD),
        "EXPLORER_PLUGINS": str(plugins),
    }
    with serving(folder / "runs.sqlite", cache, **environment) as (address, _):
        yield address, str(folder)


@pytest.fixture
def visit(somebody):
    """Open an address as somebody else would; nothing is asked of the attacker's site."""
    asked = []

    def open_page(address):
        page = somebody()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        return page

    yield open_page
    assert asked
    assert not [url for url in asked if "evil.example" in url.split("?")[0]]


def assert_harmless(page, folder):
    settled(page)
    text = page.locator("body").inner_text()
    assert "Traceback" not in text
    assert folder not in text
    assert page.locator('a[href*="evil"], img[src*="evil"], b:text-is("evil")').count() == 0


def test_no_link_path_or_traceback_comes_of_hostile_text(hosted, visit):
    address, folder = hosted
    attacker, pupil = visit(f"{address}/train"), visit(f"{address}/train")
    settled(pupil)
    # Each kind of text comes to each page; tests/ui/test_addresses.py tries all names of all pages.
    one, two, three = (quote(value, safe="") for value in HOSTILE)
    for where in (
        f"train?architecture={one}&dataset={two}&run={three}&fast.epochs=1e400&fast.seed={one}",
        f"inside?net={two}&off={three}&part={one}&filter={two}&image=-1",
        f"plugins?show={three}",
    ):
        attacker.goto(f"{address}/{where}")
        assert_harmless(attacker, folder)
    attacker.goto(f"{address}/inside?source=Upload")
    attacker.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": f"{LINK}.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\nevil"}
    )
    expect(attacker.get_by_text("This is not a picture that can be read")).to_be_visible()
    assert_harmless(attacker, folder)
    # Nothing of it harms the pupil.
    pupil.reload()
    expect(pupil.get_by_role("button", name="Train", exact=True)).to_be_enabled()
    assert_harmless(pupil, folder)


def test_a_plugin_is_shown_to_visitors_as_text_and_to_the_operator_with_its_place(hosted, visit):
    address, folder = hosted
    pupil = visit(f"{address}/plugins")
    expect(pupil.get_by_text("is broken").first).to_be_visible()
    assert_harmless(pupil, folder)
    settled(pupil)
    expect(pupil.get_by_text("in hostile.py").first).to_be_visible()
    expect(pupil.get_by_role("button", name="Reload")).to_have_count(0)
    expect(pupil.get_by_role("tab", name="Source")).to_have_count(0)
    pupil.goto(f"{address}/train?architecture={quote(f'net {LINK}'[:50], safe='')}")
    expect(pupil.get_by_text("in a summary").first).to_be_visible()
    assert_harmless(pupil, folder)
    operator = visit(f"{address}{SIGN_IN}")
    operator.locator("input[type=password]").fill(PASSWORD)
    operator.keyboard.press("Enter")
    expect(operator.get_by_text("You are signed in as the operator.")).to_be_visible()
    operator.goto(f"{address}/plugins")
    expect(operator.get_by_role("button", name="Reload")).to_be_visible()
    expect(operator.get_by_text(re.compile(re.escape(folder))).first).to_be_visible()
    assert operator.locator('a[href*="evil"], img[src*="evil"]').count() == 0
