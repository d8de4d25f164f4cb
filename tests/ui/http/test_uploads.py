import pytest

from explorer.ui.http import uploads
from explorer.ui.http.uploads import ENVELOPE, PATH, Uploads


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    counted = Uploads()
    monkeypatch.setattr(uploads, "counted", counted)
    return counted


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(uploads, "time", clock)
    return clock


def put(client, content=b"x", **headers):
    return client.put(f"{PATH}session/file", content=content, headers=headers)


@pytest.mark.usefixtures("hosted")
def test_a_visitor_may_upload_twelve_files_in_a_minute(browser, counted, clock):
    client, other = browser(), browser()
    client.get("/")
    other.get("/")
    assert [put(client).status_code for _ in range(14)] == [200] * 12 + [429] * 2
    assert put(client).text == "At most 12 files can be uploaded in a minute; wait a little."
    assert put(other).status_code == 200  # another visitor at the same address
    clock.now += 61
    assert put(client).status_code == 200
    assert (counted.accepted, counted.refused) == (14, 3)


@pytest.mark.usefixtures("hosted", "clock")
def test_who_throws_the_cookie_away_is_counted_by_address(browser):
    codes = [put(browser()).status_code for _ in range(13)]
    assert codes == [200] * 12 + [429]


@pytest.mark.usefixtures("hosted")
def test_a_file_that_is_too_large_is_refused_before_it_is_read(browser, counted):
    client = browser()
    assert put(client, b"x" * (5_000_000 + ENVELOPE)).status_code == 200
    answer = put(client, b"x" * (5_000_001 + ENVELOPE))
    assert (answer.status_code, answer.text) == (
        413,
        "The file is larger than 5 MB; take a smaller one.",
    )
    assert put(client, **{"Content-Length": "9" * 400}).status_code == 413
    assert counted.refused == 2


@pytest.mark.usefixtures("hosted")
@pytest.mark.parametrize("length", ["-1", "1e3", "", "²"])
def test_a_length_that_is_none_is_refused(browser, length):
    raw = {"Content-Length": length.encode("utf-8")}
    assert put(browser(), **raw).status_code == 411


@pytest.mark.usefixtures("hosted")
def test_a_file_of_unknown_length_is_refused(browser):
    assert put(browser(), iter([b"x"])).status_code == 411


def test_at_home_nobody_counts(browser):
    client = browser("http://localhost:8501", "127.0.0.1")
    assert {put(client).status_code for _ in range(30)} == {200}
    assert put(client, b"x" * 21_000_000).status_code == 200  # Streamlit has its own limit


def test_settings_that_cannot_be_used_are_a_sentence(browser, monkeypatch):
    monkeypatch.setenv("EXPLORER_MAX_EPOCHS", "0")
    answer = put(browser())
    assert answer.status_code == 503
    assert "EXPLORER_MAX_EPOCHS" in answer.text


def test_the_visitors_that_are_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr(uploads, "MOST_VISITORS", 10)
    counted = Uploads()
    assert all(counted.take(str(number), 1) for number in range(50))
    assert len(counted._moments) == 10
