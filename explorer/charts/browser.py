"""What the drawings of a network and of its lanes say in the browser, in the app and in a page.

A `{name}` is a named place that the browser fills.
"""

from collections.abc import Mapping

from explorer.language import say


def table_words() -> Mapping[str, str]:
    """Return what `explorer/ui/components/table.js` says, and the button that opens a table."""
    return {
        "data": say("Data"),
        "table": say("What is drawn, as a table"),
        "csv": say("Save as CSV"),
        "close": say("Close"),
        "more": say("… and {count} more rows, which the CSV file has."),
    }


def lanes_words() -> Mapping[str, str]:
    """Return what `explorer/ui/components/lanes.js` says."""
    return {
        **table_words(),
        "back": say("back to {name}"),
        "branch": say("branch {path}"),
        "off": say("switched off: gives {values}"),
        "share": say("logit attribution"),
        "strip": say("{name}: {channels} channels"),
        "maps": say("{name}: {channels} maps of {height}×{width}"),
        "keys": say("Arrow keys read pixels, Page Down goes to the next map, Enter opens it."),
        "at": say("channel {channel}, row {row}, column {column}"),
        "value": say("value {value}"),
        "isDead": say("dead: 0 for every image tried"),
        "sees": say("sees {field}"),
        "seesPixels": say("sees {field} pixels"),
        "dead": say("{dead} of {channels} dead"),
        "whyDead": say("These channels are 0 for every image that was tried."),
        "ends": say("its greatest"),
        "save": say("Save as PNG"),
        "says": say("{title}. {maps} maps."),
        "saysDead": say("{title}. {maps} maps, {dead} of them dead."),
        "part": say("part"),
        "what": say("what it is"),
        "channel": say("channel"),
        "minimum": say("minimum"),
        "mean": say("mean"),
        "maximum": say("maximum"),
        "state": say("state"),
        "deadMap": say("dead"),
        "offMap": say("switched off"),
    }


def drawing_words() -> Mapping[str, str]:
    """Return what `explorer/ui/components/drawing.js` says."""
    return {
        **table_words(),
        "back": say("Scroll back"),
        "on": say("Scroll on"),
        "fold": say("Fold repeats"),
        "save": say("Save as SVG"),
        "isOff": say("{branch}, switched off"),
    }
