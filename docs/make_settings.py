"""Write the tables of settings in docs/hosting.md: `python docs/make_settings.py`."""

import re
from pathlib import Path

from explorer.settings import tables

FILE = Path(__file__).parent / "hosting.md"
TABLES = re.compile(r"(<!-- settings -->\n).*?(?=<!-- end -->)", re.DOTALL)


def hosting(text: str) -> str:
    """Return the document `text` with its tables of settings brought up to date."""
    return TABLES.sub(lambda found: f"{found[1]}\n{tables()}\n\n", text)


if __name__ == "__main__":
    FILE.write_text(hosting(FILE.read_text(encoding="utf-8")), encoding="utf-8")
