import base64
import hashlib
import re
from pathlib import Path

import pytest
import streamlit

from explorer.ui.http.headers import content_policy

SCHOOL = "https://school.example"


def directives(policy: str) -> dict[str, list[str]]:
    parts = [part.split() for part in policy.split("; ")]
    assert len({part[0] for part in parts}) == len(parts)  # a browser takes the first of each
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/x.js", "/plotly/none.js", "/nothing"])
def test_every_answer_has_the_headers(browser, path):
    headers = browser().get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert directives(headers["content-security-policy"])["default-src"] == ["'self'"]


def test_by_default_only_the_app_itself_may_show_it_in_a_frame(browser):
    policy = directives(browser().get("/").headers["content-security-policy"])
    assert policy["frame-ancestors"] == ["'self'"]


def test_named_origins_may_show_it_in_a_frame_and_no_older_header_forbids_it(browser, monkeypatch):
    monkeypatch.setenv("EXPLORER_FRAME_ORIGINS", f"{SCHOOL}, http://localhost:8000")
    headers = browser().get("/").headers
    policy = directives(headers["content-security-policy"])
    assert policy["frame-ancestors"] == ["'self'", SCHOOL, "http://localhost:8000"]
    assert "x-frame-options" not in headers


def test_settings_that_cannot_be_used_let_nobody_show_it_in_a_frame(browser, monkeypatch):
    monkeypatch.setenv("EXPLORER_FRAME_ORIGINS", "*")
    headers = browser().get("/").headers
    assert directives(headers["content-security-policy"])["frame-ancestors"] == ["'self'"]
    assert headers["x-frame-options"] == "SAMEORIGIN"


def test_nothing_is_loaded_from_elsewhere_and_no_text_becomes_a_script():
    policy = directives(content_policy("explorer.example:8501", ()))
    sources = {source for sources in policy.values() for source in sources}
    assert {s for s in sources if "//" in s} == {
        "ws://explorer.example:8501",
        "wss://explorer.example:8501",
    }
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "'unsafe-eval'" not in policy["script-src"]
    assert "data:" not in policy["script-src"]
    assert policy["object-src"] == ["'none'"]
    assert policy["base-uri"] == ["'self'"]


def test_the_inline_scripts_of_streamlits_page_are_allowed_by_their_hash():
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text("utf-8")
    inline = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert inline
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline]
    allowed = directives(content_policy("x", ()))["script-src"]
    assert [h for h in hashes if f"'sha256-{h}'" not in allowed] == []
    # A script of any other form would be refused.
    assert len(re.findall(r"<script(?![^>]*\bsrc=)", page)) == len(inline)


@pytest.mark.parametrize(
    "host", ["a.org; script-src *", "a b", "", "a.org/x", "a.org:port", "é", "a.org\r\nX: y"]
)
def test_a_host_that_is_none_adds_nothing(host):
    assert directives(content_policy(host, ()))["connect-src"] == ["'self'"]


@pytest.mark.parametrize("host", ["a.org", "localhost:8501", "[::1]:8501", "10.0.0.1"])
def test_the_websocket_may_be_opened_to_the_host_itself(host):
    assert f"wss://{host}" in directives(content_policy(host, ()))["connect-src"]


def test_encryption_is_demanded_only_where_there_is_some(browser):
    assert "strict-transport-security" not in browser().get("/").headers
    expected = "max-age=31536000"
    assert browser("https://a.org").get("/").headers["strict-transport-security"] == expected
    proxied = browser(**{"X-Forwarded-Proto": "https"}).get("/")
    assert proxied.headers["strict-transport-security"] == expected
