"""A document in another language has what the English one has, section by section.

Words are its own; headings, blocks of code, commands, names in `code`, links, numbers and the rows
of tables are those of the English document.
"""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LANGUAGE = ".zh-CN"
TRANSLATED = sorted([*ROOT.glob(f"*{LANGUAGE}.md"), *ROOT.glob(f"docs/*{LANGUAGE}.md")])
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^    (\S.*?)(?: {2,}.*)?$", re.MULTILINE)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
NUMBER = re.compile(r"\d+(?:[.,×]\d+)*")


def sections(text):
    """What each section has that is the same in every language: its level, and its parts."""
    found = []
    blocks = FENCED.findall(text)
    # A comment in code may look like a heading.
    for section in re.split(r"^(?=#+ )", FENCED.sub("```", text), flags=re.MULTILINE):
        words = COMMAND.sub("", section)
        prose = CODE.sub("", LINK.sub("]", words))
        found.append(
            {
                "level": len(section) - len(section.lstrip("#")),
                "blocks": [blocks.pop(0) for _ in range(section.count("```"))],
                "commands": COMMAND.findall(section),
                "code": Counter(CODE.findall(words.replace("```", ""))),
                "links": Counter(link.replace(LANGUAGE, "") for link in LINK.findall(words)),
                "numbers": Counter(NUMBER.findall(prose)),
                "rows": len(re.findall(r"^\|", section, re.MULTILINE)),
            }
        )
    return found


def english(file):
    return file.with_name(file.name.replace(LANGUAGE, ""))


def test_the_documents_that_a_beginner_meets_are_translated():
    names = {str(file.relative_to(ROOT)) for file in TRANSLATED}
    assert {f"README{LANGUAGE}.md", f"docs/writing-a-plugin{LANGUAGE}.md"} <= names


@pytest.mark.parametrize("file", TRANSLATED, ids=lambda file: file.name)
def test_each_section_has_what_the_english_one_has(file):
    own = sections(file.read_text(encoding="utf-8"))
    theirs = sections(english(file).read_text(encoding="utf-8"))
    assert [each["level"] for each in own] == [each["level"] for each in theirs]
    assert len(own) > 5
    for number, (here, there) in enumerate(zip(own, theirs, strict=True)):
        for part in here:
            assert here[part] == there[part], f"section {number}, {part}"


@pytest.mark.parametrize("file", TRANSLATED, ids=lambda file: file.name)
def test_each_leads_to_the_other_at_its_top(file):
    for here, there in ((file, english(file)), (english(file), file)):
        top = here.read_text(encoding="utf-8").splitlines()[:4]
        assert re.fullmatch(rf"\[.*\]\({re.escape(there.name)}\)", top[2])


def test_what_a_translation_lacks_is_found():
    text = "# A\n\n```sh\n# b\n```\n\n1 `c` and [d](e.md)\n\n    pip  install\n\n## F\n"
    first, second, last = sections(text)
    assert (first["level"], second["level"], last["level"]) == (0, 1, 2)
    assert second["blocks"] == ["```sh\n# b\n```"]
    assert second["commands"] == ["pip"]
    assert [*second["code"], *second["links"], *second["numbers"]] == ["`c`", "e.md", "1"]
    for own, other in (("# b", "# x"), ("1", "2"), ("`c`", "`d`"), ("e.md", "f.md"), ("pip", "uv")):
        assert sections(text.replace(own, other)) != sections(text)
