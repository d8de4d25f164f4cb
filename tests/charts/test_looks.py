from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.charts.looks import LOOKS, Places, looks
from explorer.charts.style import BRANCHES, ROLES, RUNS, role_hues
from explorer.runs.run import Run, RunSpec, Status
from explorer.training.recipe import preset

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
# How the others see, in linear RGB: Machado, Oliveira & Fernandes 2009, severity 1.
EYES = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array(  # of linear sRGB, with the white point D65
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def linear(hue: str) -> np.ndarray:
    rgb = np.array([int(hue[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    x = XYZ @ np.clip(rgb, 0, 1) / XYZ.sum(axis=1)
    f = np.where(x > 216 / 24389, np.cbrt(x), (24389 / 27 * x + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: np.ndarray, other: np.ndarray) -> float:
    """Sharma, Wu & Dalal 2005, equations 2 to 22."""
    (light1, a1, b1), (light2, a2, b2) = one, other
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    light, c = (light1 + light2) / 2, (c1 + c2) / 2
    h = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    t = 1 - 0.17 * np.cos(np.radians(h - 30)) + 0.24 * np.cos(np.radians(2 * h))
    t += 0.32 * np.cos(np.radians(3 * h + 6)) - 0.2 * np.cos(np.radians(4 * h - 63))
    dl = (light2 - light1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    dc = (c2 - c1) / (1 + 0.045 * c)
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * c * t)
    bend = 60 * np.exp(-(((h - 275) / 25) ** 2))
    rotation = -2 * np.sqrt(c**7 / (c**7 + 25**7)) * np.sin(np.radians(bend))
    return float(np.sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh))


def run(number: int, seed: int = 0) -> Run:
    """The numbers say when runs were made."""
    spec = RunSpec(f"net-{number}", {}, "mnist", preset("fast").changed(seed=seed), "code")
    made = BEGIN + timedelta(minutes=number)
    return Run(spec.id, spec, Status.FINISHED, "", made, None, ())


@pytest.mark.parametrize(
    ("one", "other", "known"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ],
)
def test_differences_of_colours_are_computed_as_published(one, other, known):
    assert ciede2000(np.array(one), np.array(other)) == pytest.approx(known, abs=1e-4)


HUES = {"runs": RUNS, "branches": BRANCHES}


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("hues", HUES)
def test_any_two_hues_of_a_figure_can_be_told_apart(hues, eyes):
    seen = [lab(np.array(EYES[eyes]) @ linear(hue)) for hue in HUES[hues]]
    nearest = min(ciede2000(one, other) for place, one in enumerate(seen) for other in seen[:place])
    assert len(seen) == 8
    assert nearest >= 12


@pytest.mark.parametrize("page", ["#ffffff", "#171614"])
@pytest.mark.parametrize("hues", HUES)
def test_a_hue_is_seen_on_a_page_of_either_theme(hues, page):
    lights = [float(XYZ[1] @ linear(hue)) for hue in HUES[hues]]
    ground = float(XYZ[1] @ linear(page))
    ratios = [(max(light, ground) + 0.05) / (min(light, ground) + 0.05) for light in lights]
    assert min(ratios) >= 3


@given(st.lists(st.sampled_from([*ROLES, "", "a", "b", "c"]), max_size=8))
def test_what_meets_in_a_figure_has_hues_of_its_own(roles):
    hues = role_hues(roles)
    found = dict(zip(roles, hues, strict=True))
    assert [found[role] for role in roles] == hues
    assert len(set(hues)) == len(set(roles))
    assert set(hues) <= set(BRANCHES)
    first = next((role for role in roles if role in ROLES), None)
    assert first is None or found[first] == ROLES[first]


@given(st.sets(st.integers(0, 40), min_size=1, max_size=8))
def test_up_to_eight_families_of_a_figure_differ_in_hue_and_in_shape(numbers):
    places = Places()
    places.looks(map(run, range(41)))
    own = places.looks(map(run, numbers)).values()
    assert len({look.hue for look in own}) == len({look.symbol for look in own}) == len(numbers)


@given(st.integers(0, 30), st.sets(st.integers(0, 7), min_size=1))
def test_a_run_looks_the_same_among_any_that_were_made_about_the_same_time(begin, others):
    places = Places()
    places.looks(map(run, range(40)))
    chosen = [run(begin + other) for other in others]
    alone = {id: look for each in chosen for id, look in places.looks([each]).items()}
    assert places.looks(chosen) == alone
    assert alone[chosen[0].id] == LOOKS[(begin + min(others)) % 8] or len(others) > 1


def test_runs_that_differ_in_their_seed_look_alike_and_take_one_place():
    found = Places().looks([run(0, seed=0), run(0, seed=1), run(1)])
    assert list(found.values()) == [LOOKS[0], LOOKS[0], LOOKS[1]]


def test_a_new_run_changes_no_look_of_the_others():
    old = [run(0), run(1)]
    before = looks(old)
    after = looks([run(2), *old])
    assert {id: after[id] for id in before} == before


def test_of_more_than_eight_families_no_two_have_hue_and_shape_in_common():
    found = looks(map(run, range(20))).values()
    assert len({(look.hue, look.symbol) for look in found}) == 20


def test_imported_weights_have_a_look_as_well():
    imported = replace(run(0), spec=replace(run(0).spec, imported="0123456789ab"))
    assert looks([imported])[imported.id] == LOOKS[0]
