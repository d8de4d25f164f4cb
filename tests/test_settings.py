"""Every setting, at home, on a server for others, from the environment, and with a bad value."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from explorer import settings as module
from explorer.settings import Settings, SettingsError, masked, read_settings, rows, unknown

# Of "correct horse"; made once, since tests are named by it.
HASH = "scrypt:32768:8:3:l5GXV3T0VEsvFrjW8i-j8Q:T03zv4cyRraZMHIqbkzw1rWRYALDq6QhgdWKu4ozWYg"

KEY = "k" * 32
# Name, what it is at home, what it is on a server for others.
LIMITS = {
    "max_epochs": (None, 10),
    "max_image_epochs": (None, 600_000),
    "time_limit": (14_400, 900),
    "max_parameters": (None, 5_000_000),
    "max_macs": (None, 300_000_000),
    "run_memory": (None, 1500),
    "log_bytes": (65_536, 65_536),
    "queue_per_visitor": (None, 3),
    "queue_total": (None, 60),
    "runs_disk": (None, 2000),
    "pins_per_visitor": (None, 20),
    "pins_disk": (None, 1000),
    "load_time": (60, 30),
    "load_memory": (4000, 1500),
    "inspect_time": (60, 20),
    "upload_bytes": (20_000_000, 5_000_000),
    "upload_pixels": (50_000_000, 12_000_000),
    "uploads_per_minute": (None, 12),
}
# Name, a text, and what is made of it.
OTHERS = {
    "hosted": ("yes", True),
    "database_url": ("sqlite:////tmp/r.sqlite", "sqlite:////tmp/r.sqlite"),
    "cache": ("/tmp/c", Path("/tmp/c")),
    "plugins": (f"/a{os.pathsep}/b", (Path("/a"), Path("/b"))),
    "workers": ("2", 2),
    "stop_grace": ("0.5", 0.5),
    "log_level": ("debug", "debug"),
    "log_format": ("json", "json"),
    "public_url": ("https://example.org/x/", "https://example.org/x"),
    "lessons": ("/srv/lessons", Path("/srv/lessons")),
    "frame_origins": (
        "https://A.org/, http://localhost:8000,https://*.b.edu",
        ("https://a.org", "http://localhost:8000", "https://*.b.edu"),
    ),
    "offered_plugins": ("plain, inception,", ("plain", "inception")),
    "offered_datasets": ("mnist", ("mnist",)),
    "offered_pages": ("Train,Look inside", ("Train", "Look inside")),
    "offered_recipes": ("fast", ("fast",)),
    "secret_key": (KEY, KEY),
    "operator_password_hash": (HASH, HASH),
    "operator_emails": ("a@b.org, c@d.org", ("a@b.org", "c@d.org")),
    "metrics_token": (KEY, KEY),
}
BAD = {
    "hosted": ["perhaps", "2"],
    "workers": ["0", "none", "many", "65"],
    "stop_grace": ["0", "-1", "inf", "nan", "none"],
    "log_level": ["loud", "none"],
    "log_format": ["xml"],
    "public_url": ["example.org", "ftp://example.org", "https://", "https://a.org/?x=1"],
    "frame_origins": [
        "*",
        "a.org",
        "https://a.org/path",
        "https://a.org; script-src *",
        "https://a.org 'unsafe-inline'",
        "https://a.org\r\nX: y",
        "javascript:alert(1)",
    ],
    "secret_key": ["short"],
    "metrics_token": ["short"],
    "operator_password_hash": [
        "password",
        HASH[:-20],
        HASH.replace(":8:", ":0:"),
        HASH.replace("32768", "32767"),
        HASH.replace("32768", "99999999"),
    ],
}


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    """Start from an environment without any setting."""
    for name in list(os.environ):
        if name.startswith("EXPLORER_"):
            monkeypatch.delenv(name)


def with_environment(**variables: str) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(f"EXPLORER_{name.upper()}", value)
        return read_settings()


def refused(name: str, value: str) -> str:
    with pytest.raises(SettingsError) as caught:
        with_environment(**{name: value})
    return str(caught.value)


def test_this_file_has_every_setting():
    assert {*LIMITS, *OTHERS} == set(Settings.model_fields)
    assert set(OTHERS) - set(BAD) == {
        *("cache", "plugins", "lessons", "database_url", "operator_emails"),
        *("offered_plugins", "offered_datasets", "offered_pages", "offered_recipes"),
    }


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_has_a_default_at_home_and_one_for_others(name):
    home, hosted = LIMITS[name]
    assert getattr(read_settings(), name) == home
    assert getattr(with_environment(hosted="1"), name) == hosted
    assert getattr(with_environment(hosted="0"), name) == home
    assert getattr(Settings(hosted=True), name) == hosted


@pytest.mark.parametrize("hosted", ["0", "1"])
@pytest.mark.parametrize("name", LIMITS)
@bounds(deadline=None)
@given(value=st.integers(1, 10**15))
def test_a_limit_from_the_environment_is_taken_wherever_the_app_is(name, hosted, value):
    assert getattr(with_environment(hosted=hosted, **{name: str(value)}), name) == value


@pytest.mark.parametrize("name", LIMITS)
def test_none_lifts_a_limit_and_an_empty_text_leaves_it(name):
    for hosted, default in zip(("0", "1"), LIMITS[name], strict=True):
        for text in ("none", "None", " NONE "):
            assert getattr(with_environment(hosted=hosted, **{name: text}), name) is None
        assert getattr(with_environment(hosted=hosted, **{name: ""}), name) == default


@pytest.mark.parametrize("name", LIMITS)
@bounds(deadline=None)
@given(
    value=st.one_of(
        st.integers(-(10**9), 0).map(str),
        st.text("abcxyz!,;: ", min_size=1).filter(lambda t: t.strip() and t.strip() != "none"),
        st.sampled_from(["inf", "nan", "-inf", "1e", "0x10", "1 2", "--1"]),
    )
)
def test_a_limit_that_cannot_be_is_refused_by_its_name_in_a_sentence(name, value):
    sentence = refused(name, value)
    assert sentence.startswith(f"The setting EXPLORER_{name.upper()} cannot be used: ")
    assert repr(value)[:40] in sentence
    assert f", or `none` for no limit, not {value!r}"[:60] in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_limit_is_read_as_well(name):
    text, value = OTHERS[name]
    assert getattr(with_environment(**{name: text}), name) == value
    default = getattr(read_settings(), name)
    assert default != value
    assert getattr(with_environment(**{name: ""}), name) == default


@pytest.mark.parametrize(("name", "value"), [(name, v) for name in BAD for v in BAD[name]])
def test_a_bad_value_gives_one_sentence_that_names_the_variable(name, value):
    sentence = refused(name, value)
    assert sentence.startswith(f"The setting EXPLORER_{name.upper()} cannot be used: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize("name", ["secret_key", "metrics_token", "operator_password_hash"])
def test_a_refused_secret_is_not_repeated(name):
    assert "hunter2hunter2" not in refused(name, "hunter2hunter2")


def test_a_long_value_is_not_repeated_whole():
    assert len(refused("max_epochs", "x" * 10_000)) < 300


@bounds(deadline=None)
@given(st.text(max_size=60))
def test_no_text_for_an_origin_reaches_a_header_with_more_than_an_origin(text):
    try:
        made = with_environment(frame_origins=text.replace("\0", "")).frame_origins
    except (SettingsError, UnicodeEncodeError):
        return
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789:/.-*[]")
    assert not set("".join(made)) - allowed


# What is printed of them.


def row(settings: Settings, name: str, **environment: str):
    given = {f"EXPLORER_{key.upper()}": value for key, value in environment.items()}
    [found] = [row for row in rows(settings, given) if row.name == f"EXPLORER_{name.upper()}"]
    return found


@pytest.mark.parametrize("name", LIMITS)
def test_the_origin_of_a_limit_is_said(name):
    home, hosted = LIMITS[name]
    assert row(Settings(), name)[1::2] == (home, "default")
    origin = "default" if home == hosted else "hosted default"
    assert row(Settings(hosted=True), name)[1::2] == (hosted, origin)
    mine = Settings(hosted=True, **{name: 7})
    assert row(mine, name, hosted="1", **{name: "7"})[1::2] == (7, "environment")
    assert row(mine, name, **{name: ""}).origin == origin


def test_values_are_said_in_words():
    settings = Settings(hosted=True, offered_pages=("Train",), max_epochs=None)
    assert row(settings, "max_epochs").text == "no limit"
    assert row(settings, "time_limit").text == "900 seconds"
    assert row(settings, "max_macs").text == "300,000,000"
    assert row(settings, "offered_pages").text == "Train"
    assert row(settings, "offered_recipes").text == "all"
    assert row(settings, "frame_origins").text == "none"
    assert row(settings, "hosted").text == "on"
    assert row(settings, "secret_key").text == "made once, and kept in the user's data folder"


def test_no_secret_is_printed():
    settings = Settings(
        database_url="postgresql://me:hunter2@db.org/runs?sslpassword=hunter3",
        secret_key=KEY,
        metrics_token=KEY.upper(),
        operator_password_hash=HASH,
    )
    text = json.dumps([list(row) for row in rows(settings, {})])
    assert "postgresql://me:***@db.org/runs?sslpassword=***" in text
    for secret in ("hunter2", "hunter3", KEY, KEY.upper(), HASH):
        assert secret not in text
    assert text.count("set, and not shown") == 6  # a value and a text for each


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////a/b.sqlite", "sqlite:////a/b.sqlite"),
        ("postgresql+psycopg://u:p%40ss@h:5432/d", "postgresql+psycopg://u:***@h:5432/d"),
        ("postgresql://h/d?user=u&password=p&x=1", "postgresql://h/d?user=u&password=***&x=1"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
    ],
)
def test_the_password_of_a_database_is_masked(url, shown):
    assert masked(url) == shown


def test_a_variable_that_is_no_setting_is_named_with_what_was_meant():
    assert unknown({"EXPLORER_MAX_EPOCH": "3", "EXPLORER_CACHE": "x", "PATH": "y"}) == [
        "EXPLORER_MAX_EPOCH is no setting; did you mean 'EXPLORER_MAX_EPOCHS'?"
    ]


def test_every_setting_says_what_it_is_in_a_sentence():
    fields = module.Settings.model_fields
    assert len(fields) > 30
    assert [n for n, f in fields.items() if not (f.description or "").endswith(".")] == []
    text = module.tables()
    assert [name for name in fields if f"`EXPLORER_{name.upper()}`" not in text] == []
    assert "| `EXPLORER_MAX_EPOCHS` | no limit | 10 | Epochs of a run. |" in text
