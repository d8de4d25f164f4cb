"""The operator signs in with a password, and nobody else does."""

import re

import pytest

from explorer.passwords import hash_password
from explorer.ui import state
from explorer.ui.http import sign_in, throttle, visitors
from explorer.ui.http.throttle import Throttle
from explorer.ui.http.visitors import OPERATOR

PASSWORD = "correct horse battery"  # of the app that conftest.py makes

pytestmark = pytest.mark.usefixtures("hosted")


def token_in(answer) -> str:
    return re.search(r'name="token" value="([^"]+)"', answer.text)[1]


def attempt(client, password=PASSWORD, token=None, **headers):
    token = token or token_in(client.get(sign_in.SIGN_IN))
    return client.post(
        sign_in.SIGN_IN, data={"token": token, "password": password}, headers=headers
    )


def is_operator(client) -> bool:
    return client.get("/metrics").status_code == 200


def test_the_password_makes_the_operator_for_twelve_hours(browser):
    client = browser()
    assert not is_operator(client)
    answer = attempt(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/operator")
    [cookie] = answer.headers.get_list("set-cookie")
    assert cookie.startswith(f"{OPERATOR}=")
    assert cookie.endswith("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict")
    assert is_operator(client)
    assert not is_operator(browser())


def test_over_https_the_cookie_goes_over_no_other_connection(browser):
    [cookie] = attempt(browser("https://explorer.example")).headers.get_list("set-cookie")
    assert cookie.endswith("; HttpOnly; Secure; SameSite=Strict")


@pytest.mark.parametrize("password", ["", "x", PASSWORD.upper(), PASSWORD + "x", "é\0" * 200])
def test_another_password_does_not(browser, password):
    client = browser()
    answer = attempt(client, password)
    assert answer.status_code == 403
    assert "That is not the password." in answer.text
    assert not is_operator(client)


def test_signing_out_ends_it_also_where_the_cookie_was_copied(browser):
    client, thief = browser(), browser()
    attempt(client)
    thief.cookies.set(OPERATOR, client.cookies[OPERATOR])
    assert is_operator(thief)
    token = token_in(client.get(sign_in.SIGN_OUT))
    assert client.post(sign_in.SIGN_OUT, data={"token": token}).status_code == 303
    assert OPERATOR not in client.cookies
    assert not is_operator(client)
    assert not is_operator(thief)


def test_another_password_ends_what_was_signed_in_before(browser, monkeypatch):
    client = browser()
    attempt(client)
    monkeypatch.setenv("EXPLORER_OPERATOR_PASSWORD_HASH", hash_password("another long one"))
    state.settings.clear()
    assert not is_operator(client)


# What another site may try.


def test_a_form_of_another_site_signs_nobody_in_and_nobody_out(browser):
    client = browser()
    token = token_in(client.get(sign_in.SIGN_IN))
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert attempt(client, token=token, **headers).status_code == 403
    for wrong in ("", "x" * 43, token[:-1], "é" * 43):
        assert attempt(client, token=wrong or "-").status_code == 403
    assert not is_operator(client)
    assert attempt(client, token=token, Origin="http://explorer.example").status_code == 303
    client.post(sign_in.SIGN_OUT, data={"token": "x" * 43})
    client.post(sign_in.SIGN_OUT, data={"token": token}, headers={"Origin": "null"})
    assert is_operator(client)


def test_a_token_without_its_cookie_is_none(browser):
    client, other = browser(), browser()
    token = token_in(client.get(sign_in.SIGN_IN))
    assert attempt(other, token=token).status_code == 403
    assert attempt(other, token="").status_code == 303  # its own


@pytest.mark.parametrize("planted", ['"><script>alert(1)</script>' + "x" * 40, "short", "x" * 39])
def test_what_stands_in_a_cookie_does_not_get_into_the_form_as_markup(browser, planted):
    answer = browser().get(sign_in.SIGN_IN, headers={"Cookie": f"explorer-form={planted}"})
    assert "<script" not in answer.text
    assert len(token_in(answer)) >= 32


def test_a_huge_form_is_not_read(browser):
    client = browser()
    assert attempt(client, "x" * 20_000).status_code == 403


def test_the_form_is_in_no_frame_and_no_cache(browser, monkeypatch):
    monkeypatch.setenv("EXPLORER_FRAME_ORIGINS", "https://school.example")
    answer = browser().get(sign_in.SIGN_IN)
    assert answer.headers["content-security-policy"].endswith("frame-ancestors 'self'")
    assert answer.headers["cache-control"] == "no-store"


def test_the_form_is_in_the_language_of_the_browser(browser):
    assert '<html lang="en">' in browser().get(sign_in.SIGN_IN).text
    chinese = browser(**{"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})
    assert '<html lang="zh-CN">' in chinese.get(sign_in.SIGN_IN).text


def test_without_a_password_there_is_a_sentence(browser, monkeypatch):
    monkeypatch.setenv("EXPLORER_OPERATOR_PASSWORD_HASH", "")
    client = browser()
    for answer in (client.get(sign_in.SIGN_IN), client.post(sign_in.SIGN_IN)):
        assert answer.status_code == 404
        assert "`explorer hash-password` prints the setting" in answer.text


def test_settings_that_cannot_be_used_are_a_sentence(browser, monkeypatch):
    monkeypatch.setenv("EXPLORER_MAX_EPOCHS", "0")
    answer = browser().get(sign_in.SIGN_IN)
    assert answer.status_code == 404
    assert "EXPLORER_MAX_EPOCHS cannot be used" in answer.text


# Guessing.


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)
    return clock


@pytest.fixture
def quick(monkeypatch):
    """Compare passwords without the work, and count how often."""
    tried = []

    def compare(password, hashed):
        assert hashed == state.settings().operator_password_hash
        tried.append(password)
        return password == PASSWORD

    monkeypatch.setattr(sign_in.passwords, "matches", compare)
    return tried


def test_after_five_guesses_one_has_to_wait_longer_each_time(browser, clock, quick):
    client = browser()
    token = token_in(client.get(sign_in.SIGN_IN))
    waits = []
    for _ in range(4):
        assert [attempt(client, "no", token).status_code for _ in range(5)] == [403] * 5
        refused = attempt(client, PASSWORD, token)  # even the right one
        assert refused.status_code == 429
        assert "Too many attempts; wait " in refused.text
        waits.append(int(refused.headers["retry-after"]))
        clock.now += waits[-1]
    assert waits == [60, 120, 240, 480]
    assert len(quick) == 20
    assert attempt(client, PASSWORD, token).status_code == 303
    assert attempt(client, "no", token).status_code == 403  # all is forgotten


def test_one_address_does_not_slow_down_another(browser, clock, quick):
    client = browser()
    assert [attempt(client, "no").status_code for _ in range(6)][-1] == 429
    assert attempt(browser(client="198.51.100.7")).status_code == 303


def test_guesses_from_everywhere_are_slowed_down_but_not_the_operators_on_the_machine(
    browser, clock, quick
):
    codes = [attempt(browser(client=f"198.51.100.{n}"), "no").status_code for n in range(70)]
    assert codes == [403] * 60 + [429] * 10
    assert attempt(browser()).status_code == 429
    assert attempt(browser("http://localhost:8501", "127.0.0.1")).status_code == 303
    clock.now += 61
    assert attempt(browser()).status_code == 303


def test_the_addresses_that_are_remembered_are_bounded(clock, monkeypatch):
    monkeypatch.setattr(throttle, "MOST_ADDRESSES", 100)
    counted = Throttle(total=10**9)
    for number in range(500):
        assert counted.begin(str(number)) == 0
    assert len(counted._records) == 100


def test_a_wait_has_an_end(clock):
    counted = Throttle(total=10**9)
    for _ in range(30):
        while not (wait := counted.begin("a")):
            clock.now += 1
        clock.now += wait
    assert 3590 < wait <= 3600


def test_each_try_is_in_the_log_and_no_password_is(browser, caplog):
    with caplog.at_level("INFO"):
        attempt(browser(), "secret guess")
        attempt(browser())
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "A wrong password of the operator, from 203.0.113.5" in text
    assert "The operator signed in, from 203.0.113.5" in text
    assert "secret guess" not in text
    assert PASSWORD not in text
    assert visitors.new_operator_cookie(state.settings()) not in text
