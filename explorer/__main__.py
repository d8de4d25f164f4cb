"""`python -m explorer` is `explorer`."""

from explorer.cli import app

app(prog_name="explorer")
