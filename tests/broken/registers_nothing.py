"""Its hook does nothing yet."""

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    """To be done."""
