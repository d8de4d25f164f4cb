import pytest
from streamlit.testing.v1 import AppTest

from explorer.engines import status
from explorer.engines.status import EngineStatus
from explorer.passwords import hash_password
from explorer.runs.run import RunSpec, Status
from explorer.training.recipe import Recipe
from explorer.ui import app as frame
from explorer.ui import state
from explorer.ui.http.visitors import Visitor
from explorer.ui.pages import operator

CACHED = (state.settings, state.store)
SPEC = RunSpec("plain", {}, "mnist", Recipe(epochs=1), "0")


@pytest.fixture(autouse=True)
def _own_state(monkeypatch):
    monkeypatch.setenv("EXPLORER_PUBLIC_URL", "https://explorer.example")
    for cached in CACHED:
        cached.clear()
    yield
    status.report(None)
    for cached in CACHED:
        cached.clear()


def script():
    from explorer.ui.pages import operator

    operator.page()


def page(monkeypatch, who: Visitor) -> AppTest:
    monkeypatch.setattr(operator, "visitor", lambda: who)
    shown = AppTest.from_function(script, default_timeout=60).run()
    assert not shown.exception
    return shown


def text(page) -> str:
    return "\n".join(each.value for each in [*page.markdown, *page.caption, *page.info])


def links(page) -> list[str]:
    return [each.proto.url for each in page.get("link_button")]


OPERATOR = Visitor("ab" * 16, is_operator=True)


def test_the_operator_sees_runs_disk_versions_and_settings(monkeypatch, store):
    run = store.claim(store.add(SPEC).id, "me")
    store.end(run.id, "me", Status.FAILED, "It raised KeyError.")
    monkeypatch.setenv("EXPLORER_DATABASE_URL", store._url)
    monkeypatch.setenv("EXPLORER_SECRET_KEY", "k" * 40)
    status.report(lambda: EngineStatus(is_alive=True, restarts=2))
    shown = page(monkeypatch, OPERATOR)
    values = {each.label: each.value for each in shown.metric}
    assert values["failed"] == "1"
    assert values["queued"] == "0"
    assert values["worker"] == "ready"
    assert values["workers replaced"] == "2"
    assert "runs: 0." in text(shown)
    assert "Streamlit 1." in text(shown)
    [table] = shown.dataframe
    rows = table.value.set_index("variable")
    assert rows.loc["EXPLORER_SECRET_KEY", "value"] == "set, and not shown"
    assert rows.loc["EXPLORER_MAX_EPOCHS"].tolist() == ["no limit", "default"]
    assert "k" * 40 not in str(table.value)
    assert links(shown) == ["https://explorer.example/operator/sign-out"]


def test_at_home_there_is_nothing_to_sign_out_of(monkeypatch):
    shown = page(monkeypatch, Visitor("home", is_operator=True))
    assert "You opened the app on its own machine" in text(shown)
    assert links(shown) == []


def test_a_misspelt_limit_is_named(monkeypatch):
    monkeypatch.setenv("EXPLORER_MAX_EPOCH", "3")
    shown = page(monkeypatch, OPERATOR)
    [warning] = shown.warning
    assert warning.value.startswith("EXPLORER_MAX_EPOCH is no setting; did you mean")


def test_a_visitor_sees_the_way_to_sign_in_and_nothing_else(monkeypatch):
    monkeypatch.setenv("EXPLORER_OPERATOR_PASSWORD_HASH", hash_password("correct horse"))
    shown = page(monkeypatch, Visitor("cd" * 16))
    assert links(shown) == ["https://explorer.example/operator/sign-in"]
    assert len(shown.metric) == 0
    assert len(shown.dataframe) == 0
    assert [button.label for button in shown.button] == []


def test_where_accounts_are_named_one_signs_in_with_these(monkeypatch):
    monkeypatch.setenv("EXPLORER_OPERATOR_EMAILS", "a@b.org")
    shown = page(monkeypatch, Visitor("cd" * 16))
    assert [button.label for button in shown.button] == ["Sign in"]
    assert links(shown) == []


def test_where_nobody_can_sign_in_it_is_said(monkeypatch):
    assert "Nobody can sign in here" in text(page(monkeypatch, Visitor("cd" * 16)))


@pytest.mark.parametrize(
    ("who", "is_shown"),
    [(OPERATOR, True), (Visitor("home", is_operator=True), False), (Visitor("cd" * 16), False)],
)
def test_the_page_is_in_the_menu_of_an_operator_who_signed_in(monkeypatch, who, is_shown):
    monkeypatch.setattr(frame, "visitor", lambda: who)
    assert frame._is_operator_away_from_home() is is_shown
