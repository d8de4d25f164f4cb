"""Says in one sentence what is wrong with a plugin that does not load."""

import re

import pluggy

from explorer import errors
from explorer.hooks import HOOKS
from explorer.plugin.sources import Source

# What Python says where a class of networks was called without its images.
_MADE = re.compile(r"(\w+)\.__init__\(\) missing .*'images'")


def explain(error: BaseException, source: Source) -> str:
    """Say in one sentence what a plugin's code did wrong, for its author."""
    match error:
        case pluggy.PluginValidationError():
            hook = next((hook for hook in HOOKS if hook in str(error)), HOOKS[0])
            return f"A hook must take the arguments it is given: write `def {hook}(register):`."
        case TypeError() if made := _MADE.search(str(error)):
            return (
                f"It makes a network where the class is asked for: hand over {made[1]} itself, "
                "without brackets after it."
            )
    return errors.explain(error, source.location)
