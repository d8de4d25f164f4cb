"""Whatever an address says, its page is shown, and what the address says is text there."""

import random

import fuzz
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explorer.ui import query_params, state
from explorer.ui.pages import train

CASES = 60  # of the fuzzer's; a full run of it tries thousands

LINK = "[Log in again](https://evil.example)"


class IdleEngine:
    def close(self):
        pass


@pytest.fixture(scope="module")
def app(tmp_path_factory, cache):
    """The app, which is visited by many; nothing that one of them does is kept for another."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("addresses")
        patch.setenv("EXPLORER_DATABASE_URL", f"sqlite:///{folder / 'runs.sqlite'}")
        patch.setenv("EXPLORER_CACHE", str(cache))
        patch.setattr(state, "engine", IdleEngine)
        caches = (state.settings, state.store, state.plugins)
        for cached in caches:
            cached.clear()
        yield fuzz.App()
        state.plugins().close()
        for cached in caches:
            cached.clear()


def written(*parts: tuple[str, str]) -> str:
    return "&".join(f"{fuzz._quoted(key)}={fuzz._quoted(value)}" for key, value in parts)


@pytest.mark.parametrize(
    ("page", "key"),
    [
        *(("", key) for key in ("run", "architecture", "dataset", "recipe")),
        *(("inside", key) for key in ("net", "other", "off", "part", "filter", "image")),
        ("plugins", "show"),
    ],
)
@pytest.mark.parametrize("value", [LINK, f"x`{LINK}`", f"``{LINK}", "<b>evil</b>", "a\0\u202eevil"])
def test_no_link_comes_of_an_address(app, page, key, value):
    assert app.visit(page, written((key, value))) == []


@pytest.mark.parametrize(
    "key",
    ["fast.epochs", "fast.seed", "fast.learning_rate", "fast.train_size", "residual-bn.width"],
)
@pytest.mark.parametrize("value", ["1e400", "-1e400", "nan", "9" * 5000, "1e300", "x", "", "\0"])
def test_no_number_in_an_address_is_too_much(app, key, value):
    query = written(("architecture", "residual-bn"), (key, value), (key, value))
    assert app.visit("train", query) == []


@pytest.mark.parametrize(
    ("page", "key"),
    [
        *(("", key) for key in ("recipe", "fast.optimiser", "fast.gradients_every", "dataset")),
        *(("", key) for key in ("architecture", "residual-bn.width", "residual-bn.skip")),
        *(("inside", key) for key in ("ask", "scale", "source", "filter", "epoch", "part", "off")),
        ("plugins", "show"),
    ],
)
@pytest.mark.parametrize("value", ["", "x", "0"])
def test_no_choice_in_an_address_may_be_empty_or_another(app, page, key, value):
    asked = (key, value), *((("architecture", "residual-bn"),) if "residual" in key else ())
    assert app.visit(page, written(*asked, (key, value))) == []


def test_hostile_addresses_of_all_pages_are_survived(app):
    found = []
    for number in range(CASES):
        page, query = app.case(random.Random(f"addresses 0 {number}"))
        found += [f"case {number}: {each}" for each in app.visit(page, query)]
    assert found == []


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    page=st.sampled_from(fuzz.PAGES),
    parts=st.lists(
        st.tuples(
            st.sampled_from(sorted({*fuzz.ANYWHERE, *sum(fuzz.KEYS.values(), ())})),
            st.text() | st.sampled_from([*fuzz.MARKUP, *fuzz.ODD, *fuzz.NUMBERS]),
        ),
        max_size=4,
    ),
)
def test_any_address_is_survived(app, page, parts):
    assert app.visit(page, written(*parts)) == []


def test_what_would_be_a_link_is_found(app, monkeypatch):
    """The tests above can fail: so it was before."""
    monkeypatch.setattr(query_params, "code", lambda text: f"`{text}`")
    [found] = app.visit("train", written(("architecture", f"x`{LINK}`")))
    assert "shows link_open" in found


def test_what_fails_is_found(app, monkeypatch):
    monkeypatch.setattr(train, "plain", lambda text: 1 / 0)
    assert any("ZeroDivisionError" in each for each in app.visit("train", ""))
