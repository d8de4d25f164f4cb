import re
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from explorer.runs.recorded import open_examples

pytestmark = pytest.mark.browser


def example(name: str) -> str:
    return next(run.id for run in open_examples().runs() if run.spec.architecture == name)


def look(page, app, **query: str) -> None:
    if query.get("net") == example("inception"):  # it opens with another part and image by itself
        query = {"part": "incep1", "image": "0", **query}
    page.goto(f"{app}/inside?" + "&".join(f"{key}={value}" for key, value in query.items()))
    expect(page.locator(".lanes canvas").nth(2)).to_be_visible()
    expect(page.get_by_text("Test accuracy")).not_to_have_count(0)
    no_exception(page)


def no_exception(page) -> None:
    expect(page.get_by_test_id("stException")).to_have_count(0)


def asked(page, key: str) -> list[str]:
    return parse_qs(urlparse(page.url).query).get(key, [])


def address_says(page, key: str, *values: str) -> None:
    """Wait until the address has these values, which comes a moment after what it says is seen."""
    page.wait_for_url(lambda url: parse_qs(urlparse(url).query).get(key, []) == list(values))


def pixels(page, place: int) -> str:
    return page.locator(".lanes .flow canvas").nth(place).evaluate("c => c.toDataURL()")


def become(page, place: int, holds) -> None:
    """Wait until the pixels of a mosaic are as they should be."""
    for _ in range(300):
        if holds(pixels(page, place)):
            return
        page.wait_for_timeout(100)
    pytest.fail("The maps stayed as they were.")


def draw(page, *strokes) -> None:
    square = page.get_by_role("application", name="Drawing")
    square.scroll_into_view_if_needed()
    box = square.bounding_box()
    for (x, y), *others in strokes:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.mouse.down()
        for x, y in others:
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=15)
        page.mouse.up()


ONE = [(0.52, 0.2), (0.5, 0.8)]
SEVEN = [(0.3, 0.22), (0.68, 0.22), (0.42, 0.82)]


def test_a_drawn_digit_is_predicted_and_again_when_it_changes(page, app):
    look(page, app, source="Draw")
    expect(page.get_by_text("Nothing to see yet").first).to_be_visible()
    draw(page, ONE)
    expect(page.get_by_role("strong").filter(has_text="Predicted: 1 (")).to_be_visible()
    before = pixels(page, 0)
    page.get_by_role("button", name="Clear the drawing").click()
    expect(page.get_by_text("Nothing to see yet").first).to_be_visible()
    draw(page, SEVEN)
    expect(page.get_by_role("strong").filter(has_text="Predicted: 7 (")).to_be_visible()
    become(page, 0, lambda now: now != before)
    no_exception(page)


def test_a_branch_that_is_switched_off_costs_accuracy_and_can_be_switched_on_again(page, app):
    look(page, app, net=example("inception"))
    intact = page.get_by_text(re.compile(r"^Test accuracy 98\.90 %$"))
    expect(intact).to_be_visible()
    merged = pixels(page, -1)
    page.get_by_role("switch", name="branch incep1.branch5x5").click()
    expect(page.get_by_text(re.compile(r"−7\.7 points without incep1\.branch5x5"))).to_be_visible()
    expect(page.get_by_text(re.compile("on the first 1,000 test images$"))).to_be_visible()
    expect(page.get_by_text("Grey outline: with everything on.")).to_be_visible()
    address_says(page, "off", "incep1.branch5x5")
    become(page, -1, lambda now: now != merged)
    page.get_by_role("button", name="Re-score on all 10,000 test images").click()
    expect(page.get_by_text(re.compile(r"98\.90 %, −6\.\d\d points without"))).to_be_visible()
    expect(page.get_by_text(re.compile("^95 % interval .* on all 10,000"))).to_be_visible()
    expect(page.get_by_role("button", name="Re-score on all 10,000 test images")).to_have_count(0)
    page.get_by_role("button", name="Switch all on").click()
    expect(intact).to_be_visible()
    expect(page.get_by_text("Grey outline: with everything on.")).to_have_count(0)
    expect(page.get_by_role("switch", name="branch incep1.branch5x5")).to_be_checked()
    become(page, -1, lambda now: now == merged)
    no_exception(page)


def test_the_epoch_slider_goes_back_to_what_it_was_like_and_play_goes_on_to_the_end(page, app):
    look(page, app, net=example("residual"), epoch="9")
    shown = page.get_by_test_id("stSliderThumbValue")
    expect(shown).to_have_text(re.compile(r"^9 \("))
    before = pixels(page, 0)
    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("Home")
    expect(shown).to_have_text("1 (97.64 %)")
    page.wait_for_url(re.compile("epoch=1"))
    expect(page.get_by_text("Test accuracy 97.64 %")).to_be_visible()
    become(page, 0, lambda now: now != before)
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(shown).to_have_text("10 (99.08 %)")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    address_says(page, "epoch")
    no_exception(page)


def test_a_click_opens_a_block_and_a_click_on_a_map_shows_how_it_was_computed(page, app):
    look(page, app, net=example("inception"))
    page.locator('[data-name="incep2"]').click()
    expect(page.get_by_role("switch", name="branch incep2.branch_pool")).to_be_visible()
    address_says(page, "part", "incep2")
    canvas = page.get_by_role(
        "application", name=re.compile(r"^incep2\.branch3x3_2: 24 maps of 4×4")
    )
    canvas.scroll_into_view_if_needed()
    canvas.hover(position={"x": 5, "y": 5})
    reading = page.locator(".reading")
    expect(reading).to_contain_text("incep2.branch3x3_2")
    expect(reading).to_contain_text("channel 0")
    expect(page.locator(".field")).to_be_visible()
    canvas.click(position={"x": 5, "y": 5})
    panel = page.locator(".unit")
    expect(panel).to_contain_text("channel 0 of 0 to 23")
    expect(panel).to_contain_text("It reads 16 maps")
    panel.get_by_role("switch", name="This channel is on").click()
    expect(page.get_by_text(re.compile(r"points without incep2\.branch3x3_2:0"))).to_be_visible()
    no_exception(page)


def test_the_browser_s_back_undoes_what_was_switched_and_opened(page, app):
    look(page, app, net=example("inception"), image="3")
    page.get_by_role("switch", name="branch incep1.branch_pool").click()
    expect(page.get_by_text(re.compile(r"points without incep1\.branch_pool"))).to_be_visible()
    page.locator('[data-name="incep2"]').click()
    expect(page.get_by_role("switch", name="branch incep2.branch_pool")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("switch", name="branch incep1.branch_pool")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("switch", name="branch incep1.branch_pool")).to_be_checked()
    expect(page.get_by_text(re.compile("points without"))).to_have_count(0)
    no_exception(page)


def test_hovering_shows_the_value_that_was_recorded(page, app):
    look(page, app, net=example("plain"), image="3")
    with page.expect_download() as download:
        page.get_by_role("button", name="Activations (.npz)").click()
    maps = np.load(download.value.path())
    canvas = page.get_by_role("application", name=re.compile(r"^relu\(\): 10 maps of 12×12"))
    canvas.scroll_into_view_if_needed()
    for x, y in ((20, 20), (33, 9), (80, 30)):
        canvas.hover(position={"x": x, "y": y})
        words = page.locator(".reading").inner_text()
        at = [int(n) for n in re.search(r"channel (\d+), row (\d+), column (\d+)", words).groups()]
        value = float(re.search(r"value (\S+)", words).group(1).replace("−", "-"))
        assert value == pytest.approx(float(maps["relu()"][tuple(at)]), rel=0.01, abs=1e-3)


def test_two_runs_are_compared_and_a_run_is_looked_into_from_the_page_of_runs(page, app):
    look(page, app, net=example("residual"), other=example("plain"))
    expect(page.get_by_role("strong").filter(has_text="Predicted:")).to_have_count(2)
    expect(page.locator(".lanes")).to_have_count(2)
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    no_exception(page)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Pixels", "blue raises the logit of the class"),
        ("Filters", "10 filters of 5×5"),
        ("Gradients", "How large was the gradient of the loss in each layer"),
        ("Cost", "What does each part cost"),
        ("Linearity", "Linear(320, 10)"),
        ("Mistakes", "110 of 10,000 test images are classified incorrectly"),
    ],
)
def test_each_question_has_its_answer(page, app, question, answer):
    look(page, app, net=example("inception"), ask=question)
    expect(page.get_by_text(answer).first).to_be_visible()
    no_exception(page)


def upload(page, tmp_path, name: str) -> None:
    page.locator("input[type=file]").set_input_files(tmp_path / name)
    expect(page.get_by_role("button", name=f"Remove {name}")).to_be_visible()
    page.wait_for_timeout(500)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def test_a_file_that_is_no_picture_gets_a_sentence_and_what_was_shown_stays(page, app, tmp_path):
    from PIL import Image, ImageDraw

    (tmp_path / "notes.png").write_text("this is no picture")
    paper = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(paper).line([(100, 40), (190, 40), (130, 170)], "black", 14, joint="curve")
    paper.save(tmp_path / "seven.jpg")
    look(page, app, source="Upload")
    seven = page.get_by_role("strong").filter(has_text="Predicted: 7 (")
    upload(page, tmp_path, "notes.png")
    expect(page.get_by_test_id("stAlert")).to_be_visible()
    expect(page.locator(".lanes canvas").nth(2)).to_be_visible()  # the network is still there
    upload(page, tmp_path, "seven.jpg")
    expect(seven).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    upload(page, tmp_path, "notes.png")
    expect(page.get_by_test_id("stAlert")).to_be_visible()
    expect(seven).to_be_visible()
    page.get_by_role("button", name="Remove notes.png").click()
    expect(page.get_by_text("Nothing to see yet").first).to_be_visible()
    no_exception(page)


def test_the_images_that_excite_a_channel_are_cropped_and_a_click_opens_one(page, app):
    look(page, app, net=example("plain"), ask="Excites", excites="conv1", channel="3")
    expect(page.get_by_text("Excite it most")).to_be_visible()
    tiles = page.locator(".crops .tile")
    expect(tiles).to_have_count(18)
    expect(tiles.locator(".frame")).to_have_count(18)
    box = tiles.first.locator(".crop").bounding_box()
    assert box["width"] == box["height"] == 96
    name = tiles.first.get_attribute("aria-label")
    number = re.match(r"Open test image (\d+), ", name)[1]
    tiles.first.click()
    expect(page.get_by_text(f"Test image {number} is shown above.")).to_be_visible()
    address_says(page, "image", *([number] if number != "0" else []))
    no_exception(page)


def test_a_donor_s_activation_changes_the_answer(page, app):
    look(page, app, net=example("residual"), ask="Patching", patch="block2")
    expect(page.get_by_text("in place of 7, as to the donor")).to_be_visible()
    expect(page.get_by_text("That is 100 % of the way")).to_be_visible()
    expect(page.locator(".crops .tile")).to_have_count(2)
    page.get_by_role("button", name="Next of another class").click()
    address_says(page, "donor", "2")
    expect(page.get_by_text("the donor: 1")).to_be_visible()
    no_exception(page)


def test_the_parts_are_stepped_through_by_hand_and_played_to_the_end(page, app):
    look(page, app, net=example("inception"))
    # An action before the page has come to its end is a part of opening it.
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()
    walk = page.get_by_role("group", name="Step through")
    opened = page.locator(".opened")
    expect(walk).to_contain_text("2 of 5")
    expect(walk).to_contain_text("10×12×12 → 88×12×12, 19,104 parameters")
    walk.get_by_role("button", name="Previous part").click()
    expect(walk).to_contain_text("1 of 5")
    expect(opened).to_have_attribute("data-name", "conv1")
    expect(walk.get_by_role("button", name="Previous part")).to_be_disabled()
    address_says(page, "part", "conv1")
    entries = page.evaluate("history.length")
    walk.get_by_role("button", name="Step through").click()
    expect(walk.get_by_role("button", name="Pause")).to_be_visible()
    expect(opened).to_have_attribute("data-name", "incep1")
    walk.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(2500)
    place = walk.locator(".place").text_content()
    page.wait_for_timeout(2500)
    expect(walk.locator(".place")).to_have_text(place)
    walk.get_by_role("button", name="Step through").click()
    expect(walk).to_contain_text("5 of 5")
    expect(page.get_by_role("application", name=re.compile("^linear: 10 maps"))).to_be_visible()
    expect(walk.get_by_role("button", name="Step through")).to_be_visible()
    expect(walk.get_by_role("button", name="Next part")).to_be_disabled()
    address_says(page, "part", "linear")
    assert page.evaluate("history.length") == entries  # what is played is no action
    page.go_back()
    expect(walk).to_contain_text("2 of 5")
    no_exception(page)


INK = """c => {
  const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
  return data.filter((value, place) => place % 4 === 0 && value > 200).length;
}"""


def ink(page) -> int:
    """How many pixels of the square are inked."""
    return page.get_by_role("application", name="Drawing").evaluate(INK)


def test_a_drawing_survives_a_reload_with_the_last_stroke_and_can_be_undone(page, app):
    look(page, app, source="Draw")
    draw(page, ONE)
    expect(page.get_by_role("strong").filter(has_text="Predicted: 1 (")).to_be_visible()
    draw(page, [(0.2, 0.2), (0.8, 0.2)])
    whole = ink(page)
    page.reload()  # before the address has the second stroke
    expect(page.get_by_role("button", name="Undo the last stroke")).to_be_enabled()
    assert ink(page) == pytest.approx(whole, rel=0.02)
    page.get_by_role("button", name="Undo the last stroke").click()
    expect(page.get_by_role("strong").filter(has_text="Predicted: 1 (")).to_be_visible()
    assert 0 < ink(page) < 0.8 * whole
    no_exception(page)


def test_a_click_on_a_cell_of_the_confusion_matrix_shows_its_images(page, app):
    look(page, app, net=example("inception"), ask="Mistakes")
    cell = page.get_by_role("button", name="7, predicted as 2: 4")
    cell.scroll_into_view_if_needed()
    box = cell.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_text("4 images of 7, predicted as 2")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"^Open \d+$"))).to_have_count(4)
    expect(cell).to_have_attribute("aria-pressed", "true")
    address_says(page, "cell", "7-2")
    cell.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 image of 7, predicted as 3")).to_be_visible()
    page.get_by_role("button", name="7, predicted as 3: 1").click()
    expect(page.get_by_text("Where is it most confident, and wrong?")).to_be_visible()
    address_says(page, "cell")
    no_exception(page)


def test_the_answer_stays_in_sight_while_switches_further_down_are_pressed(page, app):
    look(page, app, net=example("inception"))
    answer = page.get_by_role("strong").filter(has_text="Predicted:")
    page.get_by_text("Ask this network").scroll_into_view_if_needed()
    expect(answer).to_be_in_viewport()
    page.get_by_role("switch", name="branch incep1.branch3x3").click()
    expect(page.get_by_text(re.compile("points without"))).to_be_in_viewport()


def test_the_overview_draws_what_is_folded_one_by_one_and_once_again(page, app):
    look(page, app, net=example("residual"))
    expect(page.locator(".drawing svg image")).to_have_count(9)
    expect(page.locator(".drawing .legend")).to_contain_text("thickness: multiply-adds")
    expect(page.get_by_role("button", name="Fold repeats")).to_have_count(0)


def test_what_was_taken_of_a_picture_is_shown_and_the_frame_corrects_it(page, app, tmp_path):
    sheet = np.full((300, 500), 235, np.uint8)
    sheet[60:240, 80:100] = sheet[60:240, 380:400] = 20  # two strokes, far apart
    Image.fromarray(sheet).save(tmp_path / "two.png")
    look(page, app, net=example("residual"), source="Upload")
    page.locator("input[type=file]").set_input_files(tmp_path / "two.png")
    frame = page.get_by_role("group", name=re.compile("^Frame of the digit"))
    expect(frame).to_be_visible()
    expect(page.get_by_alt_text("The image that the network is given")).to_be_visible()
    expect(page.get_by_role("button", name="Find the ink again")).to_be_disabled()
    before = frame.get_attribute("aria-label")
    result = page.get_by_alt_text("The image that the network is given")
    image = result.get_attribute("src")
    frame.focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowLeft")
    expect(frame).not_to_have_attribute("aria-label", before)
    expect(page.get_by_role("button", name="Find the ink again")).to_be_enabled()
    expect(result).not_to_have_attribute("src", image)
    page.get_by_role("button", name="Find the ink again").click()
    expect(frame).to_have_attribute("aria-label", before)
    # A frame of bare paper says so, and stays to be moved on.
    frame.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text("There is nothing in this frame")).to_be_visible()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("There is nothing in this frame")).to_be_hidden()
    expect(frame).to_be_visible()
    no_exception(page)
