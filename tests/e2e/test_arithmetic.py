"""The arithmetic of one unit in the browser: its sums, and how they follow the pointer."""

import json
import re
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
import torch
from built_ins import REGISTRY
from e2e.test_inside import address_says, asked, example, look, no_exception
from inspection.others import images, network
from inspection.trees import settle
from playwright.sync_api import expect
from torch import nn

from explorer.charts.unit import unit
from explorer.inspection.ablation import switched_off
from explorer.inspection.activations import copied
from explorer.inspection.arithmetic import arithmetic
from explorer.inspection.tracing import trace
from explorer.inspection.units import Unknown
from explorer.spec import ImageSpec
from explorer.ui.components.component import source

pytestmark = pytest.mark.browser
SCRIPT = source("js", "fill", "unit")  # as the app has it

# Every step at every unit: what is printed, with how many decimals, and whether both agree.
EVERY_UNIT = """async ({ script, panels }) => {
    const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    const { decode, explainAll } = await import(address);
    return panels.map((data) => {
        const steps = decode(data);
        const { height, width } = steps[0];
        const found = [];
        for (let y = 0; y < height; y++) {
            for (let x = 0; x < width; x++) {
                const all = explainAll(steps, y, x);
                found.push(all.map(({ total, digits, differs }) => [total, digits, differs]));
            }
        }
        return found;
    });
}"""


def every_unit(page, answers):
    """Return what the browser prints for each unit of each step."""
    page.goto("about:blank")
    panels = [json.loads(json.dumps(unit(answer))) for answer in answers]
    return page.evaluate(EVERY_UNIT, {"script": SCRIPT, "panels": panels})


def as_printed(value, digits):
    text = f"{value:.{digits}f}"
    return "0" if value == 0 else text.lstrip("-") if not text.strip("-0.") else text


def wrong(answers, printed):
    """Return where what is printed is not what the network recorded, to the last digit."""
    found = []
    for answer, units in zip(answers, printed, strict=True):
        for number, step in enumerate(answer.steps):
            values = [float(value) for value in step.values.ravel()]
            for value, shown in zip(values, units, strict=True):
                total, digits, differs = shown[number]
                if differs or total.replace("−", "-") != as_printed(value, digits):
                    found.append((answer.part, step.part, value, total, digits))
    return found


def taken_apart(model, image, off=(), most=24):
    seen = trace(model, image, copied)
    changes = switched_off(seen, off)
    parts = list(seen.kept)[:: 1 + len(seen.kept) // most]
    return [arithmetic(model, image, part, 0, changes) for part in parts]


def _layers():
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, padding="same", padding_mode="circular"),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, padding_mode="replicate"),
        nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=4),
        *(nn.GroupNorm(2, 8), nn.GELU(), nn.ConvTranspose2d(8, 4, 3, stride=2)),
        *(nn.InstanceNorm2d(4), nn.LeakyReLU(), nn.AvgPool2d(3, 2, 1), nn.Conv2d(4, 4, 1)),
    ]
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding="same"), *layers).eval()


@pytest.mark.parametrize(
    "name", ["resnet18", "googlenet", "densenet121", "mobilenet", "mnist", "u-net", "highway"]
)
def test_networks_by_others_add_up_to_the_last_printed_digit(page, name):
    answers = taken_apart(network(name), images(name, 1))
    assert wrong(answers, every_unit(page, answers)) == []


def test_all_built_ins_add_up_to_the_last_printed_digit(page):
    answers = []
    for architecture in REGISTRY.architectures.values():
        torch.manual_seed(0)
        model = settle(architecture.build(ImageSpec(1, 28, 10))).eval()
        answers += taken_apart(model, torch.randn(1, 1, 28, 28), most=8)
    assert wrong(answers, every_unit(page, answers)) == []
    known = [a for a in answers if not isinstance(a.steps[a.asked], Unknown)]
    assert len(known) > 0.9 * len(answers)


def test_all_kinds_of_convolutions_add_up_to_the_last_printed_digit(page):
    answers = taken_apart(_layers(), torch.randn(1, 1, 12, 12), ["3:0"])
    assert wrong(answers, every_unit(page, answers)) == []


def test_a_sum_that_is_wrong_is_found(page):
    answers = taken_apart(_layers(), torch.randn(1, 1, 12, 12), most=1)
    answers[0].steps[0].weights[0, 0, 0] += 0.1
    assert wrong(answers, every_unit(page, answers))


# --- on the page


def total(page):
    return page.locator(".unit .step.asked .total").inner_text()


def becomes(page, text):
    expect(page.locator(".unit .where")).to_have_text(text)


def test_a_click_on_a_map_opens_its_arithmetic_which_follows_the_pointer(page, app):
    look(page, app, net=example("plain"), image="3")
    with page.expect_download() as download:
        page.get_by_role("button", name="Activations (.npz)").click()
    maps = np.load(download.value.path())
    canvas = page.get_by_role("application", name=re.compile(r"^conv1: 10 maps of 24×24"))
    canvas.scroll_into_view_if_needed()
    canvas.click(position={"x": 5, "y": 5})
    panel = page.locator(".unit")
    expect(panel).to_contain_text("channel 0 of 0 to 9")
    expect(panel).to_contain_text("Σ of 25 products")
    address_says(page, "map", "conv1:0")
    becomes(page, "row 12, column 12")
    large = panel.locator("canvas.large")
    large.scroll_into_view_if_needed()
    zoom = large.bounding_box()["width"] / 24
    seen = []
    for y, x in ((3, 4), (10, 13), (23, 0)):
        large.hover(position={"x": (x + 0.5) * zoom, "y": (y + 0.5) * zoom})
        becomes(page, f"row {y}, column {x}")
        printed = total(page).replace("−", "-")
        digits = len(printed.partition(".")[2])
        seen.append(printed == as_printed(float(maps["conv1"][0, y, x]), digits))
    assert seen == [True] * 3
    page.mouse.move(0, 0)
    becomes(page, "row 12, column 12")
    no_exception(page)


def test_a_unit_is_chosen_by_a_click_and_by_keys_and_is_in_the_address(page, app):
    look(page, app, net=example("plain"), map="conv1:2", unit="3,5")
    becomes(page, "row 3, column 5")
    large = page.locator(".unit canvas.large")
    large.focus()
    large.press("ArrowDown")
    large.press("ArrowRight")
    becomes(page, "row 4, column 6")
    address_says(page, "unit", "4,6")
    large.click(position={"x": 2, "y": 2})
    address_says(page, "unit", "0,0")
    page.get_by_role("button", name="Channel after").click()
    address_says(page, "map", "conv1:3")
    expect(page.locator(".unit")).to_contain_text("channel 3 of")
    becomes(page, "row 0, column 0")
    page.keyboard.press("Escape")
    expect(page.locator(".unit")).to_have_count(0)
    address_says(page, "map")
    address_says(page, "unit")
    no_exception(page)


def test_play_slides_the_window_over_the_map(page, app):
    look(page, app, net=example("plain"), map="conv1:2")
    becomes(page, "row 12, column 12")
    page.get_by_role("button", name="Slide the window over the map").click()
    expect(page.locator(".unit .where")).to_have_text(re.compile("row 1, column"))
    page.get_by_role("button", name="Slide the window over the map").click()
    expect(page.locator(".unit")).to_contain_text("▶ Play")
    row = re.search(r"row (\d+)", page.locator(".unit .where").inner_text()).group(1)
    page.wait_for_url(lambda url: parse_qs(urlparse(url).query).get("unit", [""])[0][:1] == row)


def test_the_arithmetic_leads_to_what_is_read_and_shows_what_is_off(page, app):
    look(page, app, net=example("residual"), map="block2:3", part="block2")
    panel = page.locator(".unit")
    expect(panel).to_contain_text("+ residual")
    page.get_by_role("switch", name="branch block2.skip").click()
    expect(panel).to_contain_text("skip, switched off")
    expect(panel.locator(".row .number").first).to_have_text("0")
    panel.get_by_role("switch", name="This channel is on").click()
    address_says(page, "off", "block2.skip", "block2:3")
    expect(panel).to_contain_text("this channel is switched off")
    panel.get_by_role("button", name="+ residual · 3").click()
    expect(panel).to_contain_text("conv 3×3")
    assert asked(page, "map")[0].startswith("block2.")
    no_exception(page)


def test_a_map_that_there_is_not_is_named_in_a_note(page, app):
    look(page, app, net=example("plain"), map="conv1:99")
    expect(page.get_by_text("map=conv1:99")).to_be_visible()
    expect(page.locator(".unit")).to_have_count(0)
    address_says(page, "map")


def test_filters_are_a_grid_of_outputs_and_inputs_that_can_be_sorted(page, app):
    look(page, app, net=example("inception"), ask="Filters", filters="conv2")
    chart = page.locator(".js-plotly-plot").last
    expect(chart).to_contain_text("output")
    expect(chart).to_contain_text("input")
    expect(page.get_by_text("20 filters of 5×5, each with a kernel for each of 88")).to_be_visible()
    first = chart.locator(".ytick text").first
    expect(first).to_have_text("0")
    page.get_by_role("radio", name="norm").click()
    expect(chart.locator(".ytick text").first).not_to_have_text("0")
    address_says(page, "sort", "norm")
    no_exception(page)
