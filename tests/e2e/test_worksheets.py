"""Pupils and their teacher, on a server for others, each in a browser of their own."""

import re
from pathlib import Path

import pytest
from e2e.test_inside import address_says, no_exception
from playwright.sync_api import expect
from serving import ROOT, serving

from explorer.passwords import hash_password
from explorer.ui.http.sign_in import SIGN_IN

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def hosted(tmp_path_factory, cache):
    """The address of a hosted app with the lessons of `examples/`."""
    environment = {
        "EXPLORER_HOSTED": "1",
        "EXPLORER_LESSONS": str(Path(ROOT) / "examples" / "lessons"),
        "EXPLORER_SECRET_KEY": "k" * 40,
        "EXPLORER_OPERATOR_PASSWORD_HASH": hash_password(PASSWORD),
    }
    runs = tmp_path_factory.mktemp("lessons") / "runs.sqlite"
    with serving(runs, cache, **environment) as (address, _):
        yield address


def guess(page, answer: str) -> None:
    page.get_by_test_id("stRadioOption").filter(has_text=re.compile(f"^{answer}$")).click()
    page.get_by_role("button", name="That is my guess").click()
    expect(page.get_by_text("Your guess:")).to_be_visible()


def predicted(page, digit: int) -> None:
    answer = page.get_by_role("strong").filter(has_text=f"Predicted: {digit}")
    expect(answer.first).to_be_visible()


def test_pupils_guess_before_they_see_and_the_teacher_has_the_counts(visit, hosted):
    lesson = f"{hosted}/inside?lesson=skip-off&off=block1.skip&net=nosuchrun"
    pupils = [visit(f"{hosted}/inside?lesson=skip-off") for _ in range(2)]
    for pupil in pupils:
        expect(pupil.get_by_text("Which digit will the network see now?")).to_be_visible()
        expect(pupil.get_by_text("Predicted")).to_have_count(0)
        expect(pupil.get_by_role("link", name="Train")).to_have_count(0)
        expect(pupil.locator(".lanes")).to_have_count(0)
    guess(pupils[0], "7")
    guess(pupils[1], "2")
    for pupil in pupils:
        predicted(pupil, 2)
        expect(pupil.get_by_text("How all")).to_have_count(0)
        no_exception(pupil)
    pupils[0].get_by_role("switch", name="branch block2.skip").click()
    predicted(pupils[0], 7)
    address_says(pupils[0], "off", "default")
    address_says(pupils[0], "net")
    pupils[0].reload()
    predicted(pupils[0], 7)
    expect(pupils[0].get_by_text("Your guess: 7")).to_be_visible()
    pupils[0].goto(lesson)  # what is shown as a control is taken, and what is hidden is not
    expect(pupils[0].get_by_text(re.compile("points without block1.skip"))).to_be_visible()

    teacher = visit(f"{hosted}{SIGN_IN}")
    teacher.get_by_label("Password").fill(PASSWORD)
    teacher.get_by_role("button", name="Sign in").click()
    expect(teacher.get_by_text("2 answered")).to_be_visible()
    expect(teacher.get_by_text("/inside?lesson=skip-off")).to_be_visible()
    teacher.get_by_text("Show this to all who have answered").click()
    expect(teacher.get_by_test_id("stStatusWidget")).to_have_count(0)
    pupils[1].reload()
    expect(pupils[1].get_by_text("How all 2 guessed")).to_be_visible()
    expect(pupils[1].get_by_text("2 (yours)")).to_be_visible()
    with teacher.expect_download() as download:
        teacher.get_by_role("button", name="All answers (.csv)").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines == ["lesson,answer,count", "skip-off,2,1", "skip-off,7,1"]
    for page in (teacher, *pupils):
        no_exception(page)


def test_a_number_and_a_choice_are_guessed_too(visit, hosted):
    page = visit(f"{hosted}/inside?lesson=window-worth")
    page.get_by_role("spinbutton", name="Your guess, in images").fill("30")
    page.get_by_role("button", name="That is my guess").click()
    expect(page.get_by_text("Your guess: 30 images")).to_be_visible()
    expect(page.get_by_text("What is each branch worth")).to_be_visible()
    page.goto(f"{hosted}/train?lesson=plain-or-skip")
    expect(page.get_by_text("Accuracy", exact=True)).to_have_count(0)
    guess(page, "Both read the same")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.get_by_role("button", name="Train")).to_have_count(0)
    no_exception(page)
