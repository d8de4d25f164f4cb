"""Visitors are told apart by a cookie that only this app can make."""

import stat
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import itsdangerous
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explorer.settings import Settings, SettingsError, data_folder
from explorer.ui import state
from explorer.ui.http import keys, requests, visitors
from explorer.ui.http.visitors import OPERATOR, VISITOR, Visitor

HOSTED = Settings(hosted=True, secret_key="k" * 40, database_url="sqlite://")


def given_cookie(answer) -> str:
    [header] = [h for h in answer.headers.get_list("set-cookie") if h.startswith(VISITOR)]
    return header


def value_of(header: str) -> str:
    return header.partition("=")[2].partition(";")[0]


@pytest.fixture
def at(monkeypatch):
    """Return a function that sets the clock of the cookies, in seconds from now."""
    now = itsdangerous.TimestampSigner("x").get_timestamp()

    def set_clock(seconds: float) -> None:
        monkeypatch.setattr(
            itsdangerous.TimestampSigner, "get_timestamp", lambda _: now + int(seconds)
        )

    set_clock(0)
    return set_clock


# The cookie.


def test_the_first_page_brings_a_cookie_that_no_script_can_read(hosted, browser):
    answer = browser().get("/")
    header = given_cookie(answer)
    assert header.endswith("; Path=/; Max-Age=15552000; HttpOnly; SameSite=Lax")
    assert answer.headers["cache-control"] == "private, no-cache"
    id = visitors.read_visitor(HOSTED, value_of(header))
    assert len(bytes.fromhex(id)) == 16  # 128 bits


def test_each_browser_gets_a_cookie_of_its_own_and_keeps_it(hosted, browser):
    first, second = browser(), browser()
    ids = {value_of(given_cookie(client.get("/"))) for client in (first, second)}
    assert len(ids) == 2
    again = first.get("/runs")
    assert "set-cookie" not in again.headers
    assert "cache-control" not in again.headers


def test_only_a_page_brings_a_cookie(hosted, browser):
    client = browser()
    assert "set-cookie" not in client.get("/static/x.js").headers
    assert "set-cookie" not in client.get("/", headers={"Accept": "*/*"}).headers
    assert "set-cookie" not in client.get("/plotly/none.js").headers


@pytest.mark.parametrize(
    ("base", "headers"),
    [
        ("https://explorer.example", {}),
        ("http://explorer.example", {"X-Forwarded-Proto": "https"}),
        ("http://explorer.example", {"X-Forwarded-Proto": "https, http"}),
    ],
)
def test_over_an_encrypted_connection_the_cookie_goes_over_no_other(hosted, browser, base, headers):
    assert given_cookie(browser(base, **headers).get("/")).endswith("; Secure; SameSite=Lax")


def test_in_frames_of_named_origins_the_cookie_is_that_pages_own(hosted, browser, monkeypatch):
    monkeypatch.setenv("EXPLORER_FRAME_ORIGINS", "https://school.example")
    header = given_cookie(browser("https://explorer.example").get("/"))
    assert header.endswith("; HttpOnly; Secure; SameSite=None; Partitioned")
    # Without encryption a browser would refuse such a cookie.
    assert given_cookie(browser().get("/")).endswith("; HttpOnly; SameSite=Lax")


def test_at_home_there_is_no_cookie_and_no_key(browser):
    answer = browser("http://localhost:8501", "127.0.0.1").get("/")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert not (data_folder() / keys.FILE).exists()


def test_from_another_machine_one_is_a_visitor_at_home_too(browser):
    assert given_cookie(browser("http://192.168.0.7:8501", "192.168.0.9").get("/"))
    assert (data_folder() / keys.FILE).exists()


def test_a_cookie_is_renewed_each_day_and_is_valid_for_180(hosted, browser, at):
    client = browser()
    first = value_of(given_cookie(client.get("/")))
    at(visitors.DAY - 10)
    assert "set-cookie" not in client.get("/").headers
    at(visitors.DAY + 10)
    second = value_of(given_cookie(client.get("/")))
    assert second != first
    id = visitors.read_visitor(HOSTED, first)
    assert visitors.read_visitor(HOSTED, second) == id
    at(visitors.VISITOR_SECONDS + 20)
    assert visitors.read_visitor(HOSTED, first) is None
    assert visitors.read_visitor(HOSTED, second) == id


def test_another_key_makes_all_visitors_new_ones(hosted, browser, monkeypatch):
    client = browser()
    first = value_of(given_cookie(client.get("/")))
    monkeypatch.setenv("EXPLORER_SECRET_KEY", "l" * 40)
    state.settings.clear()
    assert value_of(given_cookie(client.get("/"))).split(".")[0] != first.split(".")[0]


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300
)
@given(data=st.data())
def test_no_changed_cookie_is_valid(data):
    value = visitors._visitor_signer(HOSTED).sign("0" * 32).decode()
    place = data.draw(st.integers(0, len(value) - 1))
    how = data.draw(st.sampled_from(["cut", "drop", "change", "add"]))
    changed = {
        "cut": value[:place],
        "drop": value[:place] + value[place + 1 :],
        "change": value[:place]
        + data.draw(st.characters(codec="latin-1").filter(lambda c: c != value[place]))
        + value[place + 1 :],
        "add": value[:place] + data.draw(st.text("0aZ.-_", min_size=1)) + value[place:],
    }[how]
    read = visitors.read_visitor(HOSTED, changed)
    # The last digit of a signature carries bits that nothing is made of.
    assert read is None or (place == len(value) - 1 and how == "change" and read == "0" * 32)
    assert not visitors.is_signed_in(HOSTED, changed)


def test_a_cookie_of_one_kind_is_none_of_the_other():
    visitors_own = visitors._visitor_signer(HOSTED).sign("0" * 32).decode()
    operators = visitors.new_operator_cookie(HOSTED)
    assert visitors.read_visitor(HOSTED, visitors_own)
    assert visitors.is_signed_in(HOSTED, operators)
    assert not visitors.is_signed_in(HOSTED, visitors_own)
    assert not visitors.read_visitor(HOSTED, operators)


# The key.


def test_the_key_is_made_once_and_only_this_user_can_read_it():
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: keys.secret_key(Settings()), range(32)))
    assert len(made) == 1
    file = data_folder() / keys.FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [keys.FILE]
    assert keys.secret_key(HOSTED) == "k" * 40


def test_a_damaged_key_is_a_sentence():
    (data_folder()).mkdir(parents=True)
    (data_folder() / keys.FILE).write_text("short")
    with pytest.raises(SettingsError, match="is damaged; delete the file"):
        keys.secret_key(Settings())


def test_a_key_that_cannot_be_kept_is_a_sentence_and_the_page_is_there(
    browser, tmp_path, monkeypatch
):
    (tmp_path / "data").write_text("no folder")
    with pytest.raises(SettingsError, match="set EXPLORER_SECRET_KEY to at least 32"):
        keys.secret_key(Settings())
    monkeypatch.setenv("EXPLORER_HOSTED", "1")
    assert browser().get("/").status_code == 200


# Who a page says it is.


def who(monkeypatch, cookies=None, place=requests.ELSEWHERE, **user) -> Visitor:
    import streamlit

    headers = {requests.FROM: place, "host": "x"}
    context = SimpleNamespace(headers=headers, cookies=cookies or {})
    monkeypatch.setattr(streamlit, "context", context)
    monkeypatch.setattr(streamlit, "user", user)
    return visitors.visitor()


def test_at_home_everyone_on_this_machine_is_the_operator(monkeypatch):
    assert who(monkeypatch, place=requests.HERE) == Visitor("home", is_operator=True)
    assert visitors.acting_visitor().is_operator


def test_from_another_machine_nobody_is_the_operator(monkeypatch):
    found = who(monkeypatch)
    assert not found.is_operator
    assert not found.is_known


def test_on_a_hosted_app_nobody_is_the_operator_by_being_near(hosted, monkeypatch):
    assert not who(monkeypatch, place=requests.HERE).is_operator


def test_a_visitor_is_known_by_the_cookie(hosted, monkeypatch):
    cookie = visitors._visitor_signer(HOSTED).sign("ab" * 16).decode()
    assert who(monkeypatch, {VISITOR: cookie}) == Visitor("ab" * 16)
    assert visitors.acting_visitor() == Visitor("ab" * 16)


@pytest.mark.parametrize("cookie", [None, "", "x", "a.b.c", "ab" * 16, "é" * 50, "." * 5000])
def test_who_has_no_valid_cookie_may_watch_and_is_told_to_reload(hosted, monkeypatch, cookie):
    found = who(monkeypatch, {VISITOR: cookie} if cookie is not None else {})
    assert not found.is_known
    assert not found.is_operator
    assert who(monkeypatch, {}).id == found.id  # for as long as the page is open
    with pytest.raises(visitors.UnknownVisitorError, match="reload the page"):
        visitors.acting_visitor()


def test_the_operator_is_known_by_a_cookie_of_twelve_hours(hosted, monkeypatch, at):
    monkeypatch.setenv("EXPLORER_OPERATOR_PASSWORD_HASH", "")
    state.settings.clear()
    cookie = visitors.new_operator_cookie(HOSTED)
    assert who(monkeypatch, {OPERATOR: cookie}).is_operator
    assert visitors.acting_visitor().is_known
    at(visitors.OPERATOR_SECONDS + 1)
    assert not who(monkeypatch, {OPERATOR: cookie}).is_operator


@pytest.mark.parametrize(
    ("user", "is_operator"),
    [
        ({"is_logged_in": True, "email": "Teacher@school.example"}, True),
        ({"is_logged_in": True, "email": "teacher@school.example", "email_verified": True}, True),
        ({"is_logged_in": True, "email": "teacher@school.example", "email_verified": False}, False),
        ({"is_logged_in": True, "email": "pupil@school.example"}, False),
        ({"is_logged_in": False, "email": "teacher@school.example"}, False),
        ({"email": "teacher@school.example"}, False),  # as a proxy's header says it
        ({"is_logged_in": True}, False),
    ],
)
def test_who_signed_in_by_openid_is_the_operator_if_named(hosted, monkeypatch, user, is_operator):
    monkeypatch.setenv("EXPLORER_OPERATOR_EMAILS", "teacher@school.example, other@b.org")
    assert who(monkeypatch, **user).is_operator is is_operator


def test_without_named_operators_an_account_makes_nobody_the_operator(hosted, monkeypatch):
    assert not who(monkeypatch, is_logged_in=True, email="").is_operator
