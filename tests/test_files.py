import errno
from pathlib import Path

import pytest

from explorer.files import why_not_written, write_whole


def test_a_file_is_written_and_replaced_and_nothing_else_is_left(tmp_path):
    file = tmp_path / ("ü" * 120 + ".html")
    write_whole(file, b"one")
    write_whole(file, b"two")
    assert file.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "page.html"
    file.write_bytes(b"old")

    def full(self, content):
        with self.open("wb") as stream:
            stream.write(content[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "(No space left on device); free some space"),
        (errno.ENOENT, "(No such file or directory); name a file in an existing folder."),
    ],
)
def test_the_sentence_says_what_to_do(number, words):
    import os

    said = why_not_written(Path("a.html"), OSError(number, os.strerror(number)))
    assert said.startswith("a.html cannot be written (")
    assert words in said
