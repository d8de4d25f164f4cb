"""Write the tables of names in docs/lessons.md: `python docs/make_lessons.py`."""

import re
from pathlib import Path

from explorer.labs.address import table

FILE = Path(__file__).parent / "lessons.md"
TABLES = re.compile(r"(<!-- (inside|train) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def lessons(text: str) -> str:
    """Return the document `text` with its tables of names brought up to date."""
    return TABLES.sub(lambda found: f"{found[1]}\n{table(found[2])}\n\n", text)


if __name__ == "__main__":
    FILE.write_text(lessons(FILE.read_text(encoding="utf-8")), encoding="utf-8")
