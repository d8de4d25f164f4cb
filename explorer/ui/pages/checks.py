"""Passports of what plugins offer, examined in a process of their own.

An examination runs an author's code, trains it and compiles it: none of that may hold up a page, or
end the server. So it is the command line that does it, one at a time, and pages look whether it is
done.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import streamlit as st

from explorer.plugin.sources import fingerprint

SECONDS = 300.0  # after which an examination is given up
LOOK = 0.5  # seconds between two looks whether it is done

_examiner = ThreadPoolExecutor(1, "reports")
_MARKS = {
    "ok": ":green[:material/check_circle:]",
    "note": ":orange[:material/info:]",
    "error": ":red[:material/error:]",
}

Told: TypeAlias = Mapping[str, Any]


def panel(target: str, location: Path | None, name: str) -> None:
    """The report of one architecture or data set, once it is there."""
    examination = _examination(target, name, fingerprint(location))
    waiting = not examination.done()
    st.fragment(_panel, run_every=LOOK if waiting else None)(examination, name, waiting)


def _panel(examination: "Future[Told | str]", name: str, was_waiting: bool) -> None:
    if not examination.done():
        st.caption(
            f":material/pending: {name} is being examined: built at both ends of every option, "
            "run, trained for 32 steps, stored and read back, compiled, moved."
        )
        st.skeleton(height=360)
        return
    if was_waiting:
        st.rerun()  # the page need not look any more
    told = examination.result()
    if isinstance(told, str):
        st.error(told)
        return
    _findings(told)


def _findings(told: Told) -> None:
    for finding in told["findings"]:
        short = "/".join(Path(finding["place"]).parts[-2:])
        where = f"  \n:gray[`{short}`]" if short else ""
        st.markdown(f"{_MARKS[finding['verdict']]} **{finding['check']}** {finding['text']}{where}")
    if layers := told.get("layers"):
        with st.expander(f"All {len(layers)} layers"):
            st.dataframe(
                [
                    {
                        "layer": layer["name"],
                        "what": layer["layer"],
                        "shape": "×".join(map(str, layer["shape"])),
                        "parameters": layer["parameters"],
                        "multiply-adds": layer["macs"],
                    }
                    for layer in layers
                ],
                hide_index=True,
                column_config={
                    "parameters": st.column_config.NumberColumn(format="localized"),
                    "multiply-adds": st.column_config.NumberColumn(format="localized"),
                },
            )


@st.cache_resource(show_spinner=False, max_entries=200)
def _examination(target: str, name: str, code: str) -> "Future[Told | str]":
    return _examiner.submit(_examine, target, name)


def _examine(target: str, name: str) -> Told | str:
    """The report, or a sentence on why there is none."""
    command = [sys.executable, "-m", "explorer", "check", target, "--only", name, "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"The examination took longer than {SECONDS / 60:g} minutes and was given up."
    try:
        return dict(json.loads(done.stdout)["reports"][0])
    except (ValueError, LookupError):
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        return f"It could not be examined: {reason[0]}"
