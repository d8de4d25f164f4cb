"""The reports of what plugins offer, made by checks in a process of their own.

A check runs an author's code, trains it and compiles it: none of that may hold up a page, or end
the server. So the command line does it, one plugin after the other, and pages look whether it is
done.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import streamlit as st

from explorer.data.dataset import DataSet, stamp_files
from explorer.language import ENGLISH, later, plural, recognise, say
from explorer.plugin.catalogue import Description
from explorer.plugin.sources import fingerprint
from explorer.text import dimensions
from explorer.ui import said
from explorer.ui.failure import sentence
from explorer.ui.tables import headings
from explorer.ui.words import code, plain

SECONDS = 300.0  # after which the checks are given up
LOOK = 0.5  # seconds between two looks whether they are done

_checker = ThreadPoolExecutor(1, "checks")
_MARKS = {
    "ok": ":green[:material/check_circle:]",
    "note": ":orange[:material/info:]",
    "error": ":red[:material/error:]",
}

_COLUMNS = (later("layer"), later("what"), later("shape"))

# A report as the command line prints it, or a sentence on why there is none.
Outcome: TypeAlias = Mapping[str, Any] | str


def panel(offered: Description | DataSet) -> None:
    """Show the report of an architecture or a data set, once it is there."""
    code = fingerprint(offered.location)
    # The files of a data set may change without its code, and without a reload.
    if isinstance(offered, DataSet):
        target, state = offered.target, [code, stamp_files(offered.files)]
    else:
        target, state = offered.source.target, [code]
    checks = _checks(target, offered.name, state)
    is_waiting = not checks.done()
    st.fragment(_panel, run_every=LOOK if is_waiting else None)(checks, offered, is_waiting)
    if not is_waiting and not _is_lasting(checks.result()):
        _checks.clear(target, offered.name, state)
        st.button(say("Check again"), icon=":material/refresh:", key="check again")


def _panel(checks: "Future[Outcome]", offered: Description | DataSet, was_waiting: bool) -> None:
    if not checks.done():
        st.caption(f":material/pending: {_waiting(offered)}")
        st.skeleton(height=360)
        return
    if was_waiting:
        said.run_again()  # the page need not look any more
    outcome = checks.result()
    if isinstance(outcome, str):
        st.error(sentence(outcome))
    else:
        _findings(outcome)


def _waiting(offered: Description | DataSet) -> str:
    name = plain(offered.name)
    if isinstance(offered, DataSet):
        return say(
            "{name} is being checked: read, and its classes, pixels and images counted.", name=name
        )
    return say(
        "{name} is being checked: built at both ends of every option, run, trained for 32 steps, "
        "stored and read back, compiled, moved.",
        name=name,
    )


def _findings(report: Mapping[str, Any]) -> None:
    for finding in report["findings"]:
        short = "/".join(Path(finding["place"]).parts[-2:])
        where = f"  \n:gray[{code(short)}]" if short else ""
        mark, check = _MARKS[finding["verdict"]], plain(recognise(finding["check"]))
        st.markdown(f"{mark} **{check}** {sentence(recognise(finding['text']))}{where}")
    if layers := report.get("layers"):
        with st.expander(plural("{n} layer", "All {n} layers", len(layers))):
            st.dataframe(
                [
                    {
                        "layer": layer["name"],
                        "what": layer["layer"],
                        "shape": dimensions(layer["shape"]),
                        "parameters": layer["parameters"],
                        "multiply-adds": layer["macs"],
                    }
                    for layer in layers
                ],
                hide_index=True,
                column_config={
                    **headings(_COLUMNS),
                    "parameters": st.column_config.NumberColumn(
                        say("parameters"), format="localized"
                    ),
                    "multiply-adds": st.column_config.NumberColumn(
                        say("multiply-adds"), format="localized"
                    ),
                },
            )


@st.cache_resource(show_spinner=False, max_entries=200)
def _checks(target: str, name: str, state: list[str]) -> "Future[Outcome]":
    """Start the checks of what a plugin offers; `state` is that of its code and files.

    What comes of them is English, and said in the language of each who looks.
    """
    return _checker.submit(_run_checks, target, name)


def _run_checks(target: str, name: str) -> Outcome:
    command = [sys.executable, "-m", "explorer", "check", target, "--only", name, "--json"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env={**os.environ, "LANGUAGE": ENGLISH},
        )
    except subprocess.TimeoutExpired:
        return say(
            "The checks took longer than {minutes:g} minutes and were given up.",
            minutes=SECONDS / 60,
        )
    except OSError as error:
        return say("The checks could not be started: {reason}.", reason=error)
    try:
        return dict(json.loads(done.stdout)["reports"][0])
    except (ValueError, LookupError):
        printed = done.stderr.strip().splitlines()
        reason = printed[-1] if printed else say("exit code {code}", code=done.returncode)
        return say("The checks came to no report: {reason}", reason=reason)


def _is_lasting(outcome: Outcome) -> bool:
    """Return whether the same code and files would give the same outcome again.

    They may not after a time-out, a crash, or where a data set could not be read.
    """
    return not isinstance(outcome, str) and outcome.get("training_images") != 0
