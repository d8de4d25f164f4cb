"""The app as others meet it: cookies, sign-in, the content policy, frames, and what fails."""

import io
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from playwright.sync_api import expect
from serving import serving
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from explorer.passwords import hash_password

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
# Each violation of the content policy, and each request to another address.
LISTEN = """
document.addEventListener("securitypolicyviolation", event =>
    window.violated(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


@pytest.fixture(scope="module")
def hosted(tmp_path_factory, cache, other_site):
    """The address of an app for others, which one other site may show in a frame."""
    folder = tmp_path_factory.mktemp("hosted")
    settings = {
        "EXPLORER_HOSTED": "1",
        "EXPLORER_SECRET_KEY": "k" * 40,
        "EXPLORER_OPERATOR_PASSWORD_HASH": hash_password(PASSWORD),
        "EXPLORER_FRAME_ORIGINS": f"http://127.0.0.1:{other_site.server_port}",
    }
    with serving(folder / "runs.sqlite", cache, **settings) as (address, _):
        yield address


@pytest.fixture
def visit(browser):
    """Return a function that opens a browser of its own: its context, a page, what it did wrong."""
    contexts = []

    def open_context():
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        context.set_default_timeout(60_000)
        contexts.append(context)
        wrong = []
        context.expose_function("violated", lambda what: wrong.append(what))
        context.add_init_script(LISTEN)
        return context, context.new_page(), wrong

    yield open_context
    for context in contexts:
        context.close()


def cookies(context) -> dict[str, dict]:
    return {each["name"]: each for each in context.cookies()}


def test_nothing_on_any_page_violates_the_content_policy(hosted, visit):
    context, page, wrong = visit()
    elsewhere = []
    context.on(
        "request",
        lambda request: (
            request.url.startswith((hosted, hosted.replace("http", "ws"), "data:"))
            or request.url.startswith(f"blob:{hosted}")
            or elsewhere.append(request.url)
        ),
    )
    page.goto(f"{hosted}/train?architecture=inception")
    expect(page.locator("svg.vertical [data-name=incep1]")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()

    page.goto(f"{hosted}/runs")
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    # A tick: the first column of the first row of a table that is drawn on a canvas.
    page.get_by_test_id("stDataFrame").click(position={"x": 18, "y": 52})
    expect(page.locator(".js-plotly-plot").first).to_be_visible()

    page.goto(f"{hosted}/plugins")
    expect(page.get_by_role("tab", name="Checks")).to_be_visible()

    page.goto(f"{hosted}/inside")
    expect(page.locator(".lanes canvas").nth(2)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Activations (.npz)").click()
    assert download.value.path().stat().st_size > 1000
    page.locator(".drawing").first.hover()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as SVG").first.click()
    assert download.value.path().stat().st_size > 1000
    page.locator(".lanes .flow canvas").first.click()
    page.get_by_text("Draw", exact=True).click()
    expect(page.get_by_role("application", name="Drawing")).to_be_visible()
    page.get_by_text("Upload", exact=True).first.click()
    picture = io.BytesIO()
    Image.new("L", (40, 40), 200).save(picture, "png")
    page.locator("input[type=file]").set_input_files(
        {"name": "seven.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    )
    expect(page.get_by_text("seven.png")).to_be_visible()
    expect(page.locator(".lanes canvas").nth(2)).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert wrong == []
    assert elsewhere == []

    # The listener hears of what is refused.
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.was_run = true'}))"
    )
    page.wait_for_function("window.was_run === undefined")
    page.evaluate("fetch('https://elsewhere.example/').catch(() => 0)")
    page.wait_for_timeout(500)
    assert [each.split()[:2] for each in wrong] == [
        ["script-src-elem", "inline"],
        ["connect-src", "https://elsewhere.example/"],
    ]


def test_a_visitor_has_the_cookie_at_the_first_visit_when_the_page_connects(hosted, visit):
    context, page, _ = visit()
    handshakes = []
    page.on("websocket", lambda socket: handshakes.append(socket.url))
    page.goto(f"{hosted}/operator")
    expect(page.get_by_text("This page is for whoever runs the app.")).to_be_visible()
    cookie = cookies(context)["explorer-visitor"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert "explorer-visitor" not in page.evaluate("document.cookie")
    assert handshakes
    other, second, _ = visit()
    second.goto(hosted)
    assert cookies(other)["explorer-visitor"]["value"] != cookie["value"]


def test_the_operator_signs_in_and_out(hosted, visit):
    context, page, wrong = visit()
    page.goto(f"{hosted}/operator")
    expect(page.get_by_role("link", name="Operator")).to_have_count(0)
    with context.expect_page() as opened:
        page.get_by_role("link", name="Sign in with the password").click()
    form = opened.value
    form.get_by_label("Password of the operator").fill("not the password")
    form.get_by_role("button", name="Sign in").click()
    expect(form.get_by_role("alert")).to_have_text("That is not the password.")
    form.get_by_label("Password of the operator").fill(PASSWORD)
    form.get_by_role("button", name="Sign in").click()
    expect(form.get_by_text("You are signed in as the operator.")).to_be_visible()
    expect(form.get_by_text("Settings", exact=True)).to_be_visible()
    expect(form.get_by_role("link", name="Operator")).to_be_visible()
    with context.expect_page() as opened:
        form.get_by_role("link", name="Sign out").click()
    opened.value.get_by_role("button", name="Sign out").click()
    expect(opened.value.get_by_text("This page is for whoever runs the app.")).to_be_visible()
    form.reload()
    expect(form.get_by_text("This page is for whoever runs the app.")).to_be_visible()
    assert wrong == []


@pytest.mark.parametrize(("name", "is_shown"), [("127.0.0.1", True), ("localhost", False)])
def test_only_a_named_origin_may_show_the_app_in_a_frame(hosted, visit, other_site, name, is_shown):
    _, page, _ = visit()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"http://{name}:{other_site.server_port}/?{hosted}/?embed=true")
    frame = page.frame_locator("iframe")
    if is_shown:
        expect(frame.locator("[data-testid=stApp]")).to_be_visible()
        expect(frame.locator(".js-plotly-plot").first).to_be_visible()
        assert [text for text in said if "frame-ancestors" in text] == []
    else:
        for _ in range(100):
            if any("frame-ancestors" in text for text in said):
                break
            page.wait_for_timeout(100)
        assert any("frame-ancestors" in text for text in said)
        assert frame.locator("[data-testid=stApp]").count() == 0


# The server, without a browser.


def get(address: str, **headers: str):
    request = urllib.request.Request(address, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, answer.headers, answer.read()


def test_a_page_of_another_site_cannot_open_a_websocket_or_upload(hosted):
    stream = hosted.replace("http", "ws") + "/_stcore/stream"
    with connect(stream, origin=hosted, subprotocols=["streamlit"]):
        pass
    with pytest.raises(InvalidStatus, match="403"):
        connect(stream, origin="https://evil.example", subprotocols=["streamlit"])
    upload = urllib.request.Request(
        f"{hosted}/_stcore/upload_file/session/file", data=b"x", method="PUT"
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(upload, timeout=30)


def test_no_page_of_another_site_may_read_an_answer(hosted):
    _, headers, _ = get(f"{hosted}/_stcore/health", Origin="https://evil.example")
    assert "access-control-allow-origin" not in {name.lower() for name in headers}
    assert "_streamlit_xsrf" in get(f"{hosted}/_stcore/health")[1].get("set-cookie", "")


def test_the_programs_door_of_streamlit_is_closed(hosted):
    request = urllib.request.Request(
        f"{hosted}/_stcore/agent/interact",
        data=b"{}",
        headers={"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code in (403, 404)


def test_streamlits_metrics_are_there_for_this_machine_alone(hosted):
    assert get(f"{hosted}/_stcore/metrics")[0] == 200
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(f"{hosted}/_stcore/metrics", **{"X-Forwarded-For": "203.0.113.5"})


def test_health_and_metrics_answer_while_pages_are_busy(hosted, visit):
    _, page, _ = visit()
    page.goto(f"{hosted}/inside")
    expect(page.get_by_text("Look inside a trained network")).to_be_visible()  # it is connected
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: get(f"{hosted}/healthz")[0], range(40)))
    assert codes == [200] * 40
    assert json.loads(get(f"{hosted}/healthz")[2])["database"] == "ok"
    while json.loads(get(f"{hosted}/healthz")[2])["worker"] == "starting":
        page.wait_for_timeout(500)
    text = get(f"{hosted}/metrics")[2].decode()
    assert "\nexplorer_worker_up 1\n" in text
    assert 'explorer_resident_memory_bytes{process="server"} ' in text
    [open_pages] = [line for line in text.splitlines() if line.startswith("explorer_sessions ")]
    assert float(open_pages.split()[1]) >= 1
