"""Why?: the questions, what answers them, and guesses that are drawn before they are answered."""

import re

import pytest
from e2e.test_train import settled
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

QUESTIONS = ("Why Residual?", "Why Inception?", "Why 1×1?", "What is often said, and is not so")
FIGURES = ".js-plotly-plot .main-svg"


def no_exception(page) -> None:
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)


def test_the_first_page_asks_the_questions_and_answers_each_with_a_figure(page, app):
    page.goto(app)
    for question in QUESTIONS:
        expect(page.get_by_role("heading", name=question)).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(len(QUESTIONS))
    expect(page.locator(FIGURES).first).to_be_visible()
    page.get_by_role("button", name="Claim by claim").nth(2).click()
    expect(page.get_by_role("heading", name="Where a 1×1 costs more")).to_be_visible()
    expect(page.get_by_role("heading", name="Why 1×1?", level=1)).to_be_in_viewport()
    page.wait_for_url(re.compile("about=one-by-one"))
    no_exception(page)
    page.get_by_role("button", name="All questions").click()
    expect(page.get_by_role("heading", name="Why Inception?")).to_be_visible()


@pytest.mark.parametrize(
    ("lesson", "control", "before", "after"),
    [
        ("residual", "Layers", r"best depth here is \d+ layers", r"best depth here is \d+ layers"),
        ("inception", "Image", r"sees \d+×\d+ pixels", r"sees \d+×\d+ pixels"),
        ("one-by-one", "Reduced", "that is 2,408,448 multiply-adds", "that is 3,010,560 multi"),
        ("errata", "Channels", "two", "two"),
    ],
)
def test_a_control_moves_the_figure_and_the_sentence(page, app, lesson, control, before, after):
    page.goto(f"{app}/?about={lesson}")
    slider = page.get_by_role("slider", name=control).first
    expect(page.get_by_text(re.compile(before)).first).to_be_visible()
    shown = page.locator(".explorer-chart")
    drawn = "charts => charts.map((chart) => chart.look)"
    expect(shown.last.locator(".main-svg").first).to_be_visible()
    first = shown.evaluate_all(drawn)
    slider.press("ArrowLeft" if lesson == "residual" else "ArrowRight")
    expect(page.get_by_text(re.compile(after)).first).to_be_visible()
    page.wait_for_function(
        "(first) => [...document.querySelectorAll('.explorer-chart')]"
        ".some((chart, i) => chart.look !== first[i])",
        arg=first,
    )
    no_exception(page)
    page.wait_for_url(re.compile(re.escape(f"{lesson}.")))


def test_a_curve_is_drawn_before_the_figure_is_shown_and_stays_in_it(page, app):
    page.goto(f"{app}/?about=residual&predict=true")
    expect(page.get_by_text("The figure comes when you have made a guess").first).to_be_visible()
    settled(page)
    sheet = page.locator("svg.sheet").first
    box = sheet.bounding_box()
    page.mouse.move(box["x"] + 0.12 * box["width"], box["y"] + 0.7 * box["height"])
    page.mouse.down()
    for step in range(1, 25):
        across = box["x"] + (0.12 + 0.036 * step) * box["width"]
        page.mouse.move(across, box["y"] + (0.7 - 0.01 * step) * box["height"])
    page.mouse.up()
    page.get_by_role("button", name="That is my guess").first.click()
    expect(
        page.get_by_text("The error on training images").or_(page.locator(FIGURES)).first
    ).to_be_visible()
    expect(page.locator(".legendtext", has_text="your guess")).to_be_visible()
    no_exception(page)


def test_a_point_can_be_trained_again(page, app):
    page.goto(f"{app}/?about=residual")
    page.get_by_role("link", name=re.compile("Train 56 layers without skips")).click()
    expect(page.get_by_text("deep — ")).to_be_visible()
    page.wait_for_url(re.compile("deep.layers=56.*fast.train_size=10000"))
    assert "deep.skip=false" in page.url
    no_exception(page)
