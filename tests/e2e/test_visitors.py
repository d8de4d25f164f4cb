"""A class on one hosted app: what each pupil may do, and what the next one sees of it."""

import pytest
from e2e.test_train import choose, fill, no_exception, train
from playwright.sync_api import expect
from serving import serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def hosted(tmp_path_factory, cache):
    """The address of an app for others, where runs are small."""
    settings = {"EXPLORER_HOSTED": "1", "EXPLORER_QUEUE_PER_VISITOR": "1"}
    folder = tmp_path_factory.mktemp("class")
    with serving(folder / "runs.sqlite", cache, **settings) as (address, _):
        yield address


def test_a_pupil_stops_only_what_they_asked_for_and_waits_their_turn(hosted, somebody):
    ann, bob = somebody(), somebody()
    ann.goto(f"{hosted}/train")
    expect(ann.get_by_text("No run yet")).to_be_visible()
    choose(ann, "residual", images=50_000, epochs=10)
    train(ann)
    expect(ann.get_by_text("images/s")).to_be_visible()
    expect(ann.get_by_role("button", name="Pause")).to_be_visible()

    # Whoever has the link watches, and cannot stop it.
    bob.goto(ann.url)
    expect(bob.get_by_text("images/s")).to_be_visible()
    expect(bob.get_by_role("button", name="Pause")).to_have_count(0)
    bob.goto(f"{hosted}/runs")
    expect(bob.get_by_text("No run of your own yet")).to_be_visible()

    # Another run of Bob's waits; a second one of his is refused.
    bob.goto(f"{hosted}/train")
    choose(bob, "plain", images=500)
    train(bob)
    expect(bob.get_by_text("next in the queue")).to_be_visible()
    fill(bob, "Seed", 1)
    train(bob)
    expect(bob.get_by_text("You have 1 run that wait")).to_be_visible()

    # Bob asks for Ann's run too, so it goes on when she leaves it, and his own run after it.
    ann.get_by_role("button", name="Pause").click()
    expect(ann.get_by_text("residual — paused")).to_be_visible()
    expect(bob.get_by_role("button", name="Pause")).to_have_count(0)
    no_exception(ann)
    no_exception(bob)


def test_what_is_too_much_is_cut_on_the_page_or_said(hosted, somebody):
    page = somebody()
    page.goto(f"{hosted}/train")
    epochs = page.get_by_role("spinbutton", name="Epochs")
    expect(epochs).to_have_value("1")
    epochs.fill("50")
    epochs.press("Enter")
    expect(epochs).to_have_attribute("aria-invalid", "true")
    page.goto(f"{hosted}/train?architecture=resnet34&resnet34.width=64")
    expect(page.get_by_text("A network may have 5,000,000 parameters here")).to_be_visible()
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_disabled()
    no_exception(page)


def test_a_page_has_no_link_to_what_is_not_offered(tmp_path, cache, somebody):
    settings = {"EXPLORER_HOSTED": "1", "EXPLORER_OFFERED_PAGES": "inside,runs"}
    with serving(tmp_path / "runs.sqlite", cache, **settings) as (address, _):
        page = somebody()
        page.goto(address)
        expect(page.get_by_text("Look inside a trained network")).to_be_visible()
        expect(page.get_by_role("link", name="Runs")).to_be_visible()
        for name in ("Train", "Plugins", "Operator"):
            expect(page.get_by_role("link", name=name)).to_have_count(0)
        page.get_by_role("link", name="Runs").click()
        expect(page.get_by_text("All runs")).to_be_visible()
        no_exception(page)
