"""Its hook raises."""

from explorer import hookimpl


@hookimpl
def register_architectures(register):
    look_for_weights()


def look_for_weights():
    raise RuntimeError("the weights are on the other machine.")
