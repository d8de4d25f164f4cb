"""The page *Plugins* shows a network on the images that it takes."""

import pytest
from streamlit.testing.v1 import AppTest

from explorer.ui import state
from explorer.ui.pages import checks

COLOUR = '''
from torch import nn
from explorer import hookimpl

@hookimpl
def register_architectures(register):
    register(Colour)

    register(Anywhere)
    register(Unfinished)

class Anywhere(nn.Sequential):
    """A network for colour images of any size."""
    def __init__(self, num_classes):
        super().__init__(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(4, num_classes))

class Unfinished(Anywhere):
    def __init__(self, num_classes, depth):
        super().__init__(num_classes)

class Colour(nn.Sequential):
    """A network for colour images of 32 pixels."""
    def __init__(self, images):
        super().__init__(nn.Flatten(), nn.Linear(3 * 32 * 32, images.num_classes))
'''


def plugins_page():
    from explorer.ui.pages import plugins

    plugins.page()


@pytest.fixture
def page(tmp_path, monkeypatch, fresh):
    """The page of an app with a plugin of the user's; its checks are not run."""
    (tmp_path / "colour.py").write_text(COLOUR)
    monkeypatch.setenv("EXPLORER_PLUGINS", str(tmp_path))
    monkeypatch.setattr(checks, "panel", lambda *_: None)
    fresh()
    assert "colour" in state.plugins().whole_catalogue.architectures
    return AppTest.from_function(plugins_page, default_timeout=60)


def test_a_network_for_colour_is_drawn_and_says_which_data_sets_it_fits(page):
    page.query_params["show"] = "colour"
    page.run()
    assert not page.exception
    captions = [caption.value for caption in page.caption]
    assert "Fits cifar-10." in captions
    assert any(caption.startswith("30,730 parameters") for caption in captions)
    table = page.dataframe[-2].value.set_index("architecture")
    assert table.loc["colour", "images"] == "3×32×32"
    assert table.loc["plain", "images"] == "1×28×28"


def test_a_network_that_takes_all_images_says_so(page):
    page.query_params["show"] = "plain"
    page.run()
    assert "Fits every data set." in [caption.value for caption in page.caption]


def test_a_network_that_is_given_grey_in_each_channel_says_so(page):
    page.query_params["show"] = "anywhere"
    page.run()
    assert not page.exception
    assert (
        "Fits every data set. It takes colour images; of mnist, mnist-scales, fashion-mnist, "
        "kmnist, qmnist it is given the grey in each channel."
    ) in [caption.value for caption in page.caption]


def test_what_is_refused_is_shown_beside_what_works_in_the_same_file(page):
    page.run()
    shown = [each.value for each in page.markdown]
    assert ":red[:material/error:] **Unfinished** of colour is broken" in shown
    assert any(text.startswith("Unfinished (line ") for text in shown)
    assert any(text.endswith(" data sets are ready, 1 is broken.") for text in shown)
    assert "colour" in list(page.dataframe[-2].value["architecture"])
