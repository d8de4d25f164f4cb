"""The tables of settings in docs/hosting.md say what the settings are."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def maker():
    spec = importlib.util.spec_from_file_location("make_settings", DOCS / "make_settings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_what_the_settings_are():
    """If not, run `python docs/make_settings.py`."""
    text = (DOCS / "hosting.md").read_text(encoding="utf-8")
    assert maker().hosting(text) == text
    assert "| `EXPLORER_MAX_EPOCHS` | no limit | 10 |" in text
