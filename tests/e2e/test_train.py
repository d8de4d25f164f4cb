import re

from playwright.sync_api import expect
from serving import serving


def choose(page, architecture: str, images: int, epochs: int = 1) -> None:
    page.get_by_role("button", name="Architecture").click()
    page.get_by_role("option", name=architecture, exact=True).click()
    expect(page.get_by_text(f"{architecture} — ")).to_be_visible()
    details = page.get_by_role("spinbutton", name="Training images")
    settled(page)
    if not details.is_visible():
        page.get_by_text("Details of the recipe").click()
    fill(page, "Training images", images)
    fill(page, "Epochs", epochs)


def fill(page, label: str, value: int) -> None:
    box = page.get_by_role("spinbutton", name=label)
    box.fill(str(value))
    box.press("Enter")
    expect(box).to_have_value(str(value))
    page.wait_for_timeout(100)
    settled(page)  # a click while the page runs again may be lost


def settled(page) -> None:
    """Wait until the page has run."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


LOCAL = "http://localhost:"  # another app, which a tab has shown before


def seen(page):
    """Return what is seen of the page, without what is said of it to a screen reader."""
    return page.get_by_test_id("stMainBlockContainer")


def train(page) -> None:
    page.get_by_role("button", name="Train", exact=True).click()


def no_exception(page) -> None:
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_learner_trains_residual_sees_the_curve_stops_another_and_finds_both_after_a_reload(
    page, training_app
):
    page.goto(f"{training_app}/train")
    expect(page.get_by_text("No run yet")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()

    choose(page, "residual", images=2000)
    train(page)
    expect(seen(page).get_by_text("1 epoch of 2,000 images")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    expect(page.locator(".js-plotly-plot", has_text="%").last).to_contain_text("residual")
    no_exception(page)

    fill(page, "Training images", 50_000)
    fill(page, "Epochs", 200)
    train(page)
    expect(page.get_by_text("images/s")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("residual — paused")).to_be_visible()
    no_exception(page)

    page.reload()
    expect(page.get_by_text("residual — paused")).to_be_visible()
    expect(page.locator(".js-plotly-plot", has_text="2,000 images")).to_have_count(1)
    no_exception(page)

    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_text("All runs")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame").filter(visible=True).first).to_be_visible()
    no_exception(page)


def test_a_run_outlives_the_kill_of_the_server_and_can_be_resumed(page, tmp_path, cache):
    database = tmp_path / "runs.sqlite"
    with serving(database, cache) as (address, server):
        page.goto(f"{address}/train")
        choose(page, "plain", images=6_000, epochs=30)
        train(page)
        expect(page.get_by_text(re.compile(r"epoch ([2-9]|\d\d) of 30"))).to_be_visible()
        query = page.url.split("?")[1]
        server.kill()
        server.wait()
    with serving(database, cache) as (address, _):
        page.goto(f"{address}/train?{query}")
        expect(page.get_by_text("plain interrupted")).to_be_visible()
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_text("images/s")).to_be_visible()
        expect(page.get_by_text("interrupted")).to_have_count(0)
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_text("plain — paused")).to_be_visible()
        no_exception(page)


def test_no_page_asks_the_network_for_anything(page, app):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{app}/train")
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible()
    for name in ("Runs", "Plugins"):
        page.get_by_role("link", name=name).click()
        tables = page.get_by_test_id("stDataFrame")  # one may be folded away
        expect(tables.filter(visible=True).first).to_be_visible()
    page.get_by_role("link", name="Look inside", exact=True).click()
    expect(page.locator(".lanes canvas").nth(2)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith((app, "data:", "blob:", LOCAL))] == []


def test_a_page_is_sent_once_and_then_only_what_changes(page, training_app):
    sizes = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda content: sizes.append(len(content))),
    )
    page.goto(f"{training_app}/train")
    expect(page.locator(".js-plotly-plot")).to_have_count(1)
    expect(page.locator("svg.vertical")).to_be_visible()
    page.wait_for_timeout(2000)
    assert sum(sizes) < 300_000  # bytes: the examples' curves, the diagram, all widgets

    sizes.clear()
    fill(page, "Epochs", 3)
    page.wait_for_timeout(1000)
    assert 0 < sum(sizes) < 20_000

    choose(page, "plain", images=6_000, epochs=30)
    train(page)
    expect(page.get_by_text(re.compile(r"epoch ([2-9]|\d\d) of 30"))).to_be_visible()
    sizes.clear()
    page.wait_for_timeout(3_000)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("plain — paused")).to_be_visible()
    assert 0 < sum(sizes) < 6 * 2 * 22_000  # six looks at the store, two curves each, in words too


def test_a_zoom_survives_while_the_run_is_live(page, training_app):
    page.goto(f"{training_app}/train")
    choose(page, "plain", images=6_000, epochs=90)
    train(page)
    expect(page.get_by_text(re.compile(r"epoch \d+ of 90"))).to_be_visible()
    expect(page.get_by_text("epoch 1 of 90")).to_have_count(0)
    chart = page.locator(".js-plotly-plot").nth(0)
    before = chart.evaluate("chart => { chart.kept = true; return chart.layout.xaxis.range }")
    box = chart.locator(".nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 220, steps=5)
    page.mouse.up()
    zoomed = chart.evaluate("chart => chart.layout.xaxis.range")
    assert zoomed != before
    count = "chart => chart.data.find(line => line.name.startsWith('plain')).x.length"
    points = chart.evaluate(count)
    page.wait_for_function(
        f"([chart, points]) => ({count})(chart) > points",
        arg=[chart.element_handle(), points],
    )
    assert chart.evaluate("chart => chart.kept && chart.layout.xaxis.range") == zoomed
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("plain — paused")).to_be_visible()


def test_a_network_is_chosen_by_keys_and_the_chart_s_data_set_is_named(page, training_app):
    page.goto(f"{training_app}/train")
    button = page.get_by_role("button", name="Architecture")
    expect(button).to_contain_text("residual")
    chart = page.locator(".js-plotly-plot").first
    top = button.bounding_box()["y"]
    assert chart.bounding_box()["y"] < top + 600
    page.set_viewport_size({"width": 768, "height": 900})  # the curves go below; no word is broken
    page.wait_for_function(
        "([chart, top]) => chart.getBoundingClientRect().top > top + 600",
        arg=[chart.element_handle(), top],
    )
    assert button.bounding_box()["height"] < 60
    button.press("ArrowDown")
    options = page.get_by_role("option")
    expect(page.get_by_role("option", name="residual", exact=True)).to_be_focused()
    expect(options.first).to_contain_text("plain")
    expect(page.get_by_role("group", name="Residual nets")).to_be_visible()
    page.keyboard.press("Home")
    expect(options.first).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")
    button.press("ArrowDown")
    page.keyboard.press("Home")
    page.keyboard.press("i")
    page.keyboard.press("Enter")
    expect(page.get_by_text("inception — ")).to_be_visible()
    expect(page).to_have_url(re.compile("architecture=inception"))
    settled(page)
    button.click()
    expect(page.get_by_role("option", name="plain").locator("svg")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("The chart is of networks that learned")).to_have_count(0)
    page.goto(f"{training_app}/train?dataset=cifar-10&architecture=residual")
    expect(page.get_by_text("The chart is of networks that learned MNIST")).to_be_visible()
    no_exception(page)


def test_curves_go_along_seconds_and_the_loss_is_unfolded(page, training_app):
    page.goto(f"{training_app}/train")
    expect(page.locator(".js-plotly-plot")).to_contain_text("epoch")
    page.get_by_role("radio", name="seconds").click()
    expect(page.locator(".js-plotly-plot")).to_contain_text("seconds of training")
    expect(page).to_have_url(re.compile("x=seconds"))
    settled(page)
    page.get_by_text("Loss — cross-entropy").click()
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    page.reload()
    expect(page.locator(".js-plotly-plot").first).to_contain_text("seconds of training")
    no_exception(page)


def test_the_first_run_is_compared_with_the_examples(page, training_app):
    page.goto(f"{training_app}/train")
    choose(page, "inception", images=640)
    train(page)
    expect(page.get_by_text("grey: recorded examples")).to_be_visible()
    expect(
        page.get_by_text(re.compile("below the recorded inception .*Seeds alone"))
    ).to_be_visible()
    names = page.locator(".js-plotly-plot").evaluate("chart => chart.data.map(line => line.name)")
    assert names[:3] == [f"recorded {name}, test" for name in ("residual", "inception", "plain")]
    no_exception(page)


def test_a_run_is_stepped_paused_looked_into_and_resumed_where_it_was(page, training_app):
    page.goto(f"{training_app}/train")
    choose(page, "residual", images=50_000, epochs=20)
    page.get_by_role("button", name="Step", exact=True).first.click()
    expect(page.get_by_text("Step 1 of residual")).to_be_visible()
    expect(page.get_by_role("listitem")).to_have_count(10 + 64)  # of each class; of the batch
    expect(page.locator(".js-plotly-plot", has_text="update ÷ parameters")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("images/s")).to_be_visible()

    # While it is trained, it can be looked into, and goes on.
    page.get_by_role("link", name="Look inside residual").click()
    expect(page.get_by_text(re.compile("This run is being trained: step"))).to_be_visible()
    shown = page.get_by_text(re.compile("This run is being trained: step")).text_content()
    expect(page.get_by_text(shown)).to_have_count(0)
    no_exception(page)

    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_role("button", name="Pause").click()
    paused = page.get_by_text(re.compile(r"residual — paused at step [\d,]+ of 15,640"))
    expect(paused).to_be_visible()
    at = int(re.search(r"step ([\d,]+)", paused.text_content())[1].replace(",", ""))
    page.get_by_role("button", name="Step", exact=True).nth(1).click()
    expect(page.get_by_text(f"paused at step {at + 1:,} of")).to_be_visible()
    expect(page.get_by_text(f"Step {at + 1:,} of residual")).to_be_visible()
    no_exception(page)


def test_a_run_is_given_a_name_that_is_shown_on_charts(page, training_app):
    page.goto(f"{training_app}/train")
    choose(page, "plain", images=1000)
    train(page)
    expect(page.get_by_text("1 epoch of 1,000 images")).to_be_visible()
    page.get_by_role("link", name="Runs").click()
    table = page.get_by_test_id("stDataFrame").first
    expect(table).to_be_visible()
    settled(page)
    box = table.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 54)  # tick the first run
    page.get_by_role("button", name="Name and note").click()
    page.get_by_role("textbox", name="Name").fill("my first")
    page.get_by_role("textbox", name="Note").fill("one epoch is enough")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("paragraph").filter(has_text="one epoch is enough")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_contain_text("my first")
    no_exception(page)
