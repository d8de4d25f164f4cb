import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from math import nan

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.charts import curves
from explorer.charts.curves import Trace, _apart
from explorer.charts.looks import looks
from explorer.charts.style import plain, to_json
from explorer.runs.run import UNTRAINED, Run, RunSpec, Status, distinguish
from explorer.training.events import Epoch, Score, Started, Step
from explorer.training.recipe import preset


def accuracy_curves(traces) -> go.Figure:
    """The chart as an object of Plotly's, which refuses what it does not know."""
    return go.Figure(curves.accuracy_curves(traces))


def loss_curves(traces) -> go.Figure:
    return go.Figure(curves.loss_curves(traces))


def run(name="plain", seed=0, epochs=3, accuracy=0.9, status=Status.FINISHED) -> Run:
    spec = RunSpec(name, {}, "mnist", preset("tutorial").changed(epochs=3, seed=seed), "code")
    done = tuple(
        Epoch(i, 0.4 / i, accuracy - 0.01, 0.3 / i, accuracy + 0.01 * i, 5.0, 9000.0)
        for i in range(1, epochs + 1)
    )
    started = Started("cpu", 8490, 6400, 1000, 100, 3)
    return Run(spec.id, spec, status, "", datetime.now(UTC), started, done)


def steps(count: int) -> list[Step]:
    return [Step(20 * i, 1, 1 / i, min(1.0, 0.1 * i), 0.01, 9000.0, 1280) for i in range(1, count)]


def traces(*runs: Run) -> list[Trace]:
    labels = distinguish(runs)
    return [Trace(run, [], labels[run.id]) for run in runs]


def test_scores_within_an_epoch_are_points_of_the_test_curve():
    scores = [Score(step, 1, 0.5, 0.8, 1000) for step in (30, 60)] + [Score(130, 2, 0.3, 0.9, 1000)]
    chart = accuracy_curves([Trace(run(), [], "plain", scores)])
    (test,) = [line for line in chart.data if line.name == "plain, test"]
    assert list(test.x) == pytest.approx([0.3, 0.6, 1, 1.3, 2, 3])
    assert list(test.customdata)[:2] == ["80.00 %", "80.00 %"]
    sizes = list(test.marker.size)
    assert min(sizes[2], sizes[4], sizes[5]) > max(sizes[0], sizes[1], sizes[3])


def test_the_end_of_each_line_has_its_name_and_its_last_value():
    chart = accuracy_curves(traces(run("plain"), run("residual", accuracy=0.95)))
    texts = [label.text for label in chart.layout.annotations]
    assert [text.split("</span> ")[1] for text in texts] == [
        "plain<br><b>93.00 %</b>",
        "residual<br><b>98.00 %</b>",
    ]
    hues = [line.line.color for line in chart.data if line.line.dash == "solid"]
    assert [f"color: {hue}" in text for hue, text in zip(hues, texts, strict=True)] == [True, True]


def test_test_curves_are_solid_and_training_curves_dashed():
    dashes = [line.line.dash for line in accuracy_curves(traces(run())).data]
    assert sorted(dashes) == ["dash", "solid"]


@pytest.mark.parametrize("draw", [accuracy_curves, loss_curves])
def test_imported_weights_are_level_lines_beside_the_curves_of_the_others(draw):
    spec = RunSpec("plain", {}, "mnist", UNTRAINED, "code", imported="0123456789ab")
    scores = Epoch(1, 0.2, 0.96, 0.1, 0.97, 0.0, 0.0)
    imported = replace(run(), id=spec.id, spec=spec, epochs=(scores,))
    chart = draw(traces(run(), imported))
    lines = {line.name: line for line in chart.data}
    for kind in ("training", "test"):
        line = lines[f"plain · imported, {kind}"]
        assert list(line.x) == [0, 3]
        assert line.y[0] == line.y[1]
        assert line.hovertemplate.startswith("<b>%{customdata}</b>"), "they had no epochs"
    (trained,) = [name for name in lines if name.startswith("plain · tutorial") and "test" in name]
    assert lines[trained].hovertemplate.startswith("epoch %{x:.3~g}: <b>%{customdata}</b>")
    assert ("97.00 %" if draw is accuracy_curves else "0.100") in chart.layout.annotations[1].text


def live(tests: list[float], so_far: int) -> Trace:
    """A run of 3 epochs of 100 steps each, some steps after its first; scored every 10 steps."""
    begun = replace(run(epochs=0, status=Status.RUNNING))
    done = [s for s in steps(400) if s.step <= so_far]
    scores = [Score(10 * n, 1, 1 - a, a, 1000) for n, a in enumerate(tests, 1) if 10 * n <= so_far]
    return Trace(begun, done, "plain", scores)


@given(st.lists(st.floats(0.1, 1), min_size=30, max_size=30))
@pytest.mark.parametrize("draw", [accuracy_curves, loss_curves])
def test_the_y_axis_only_grows_once_a_tenth_of_the_run_is_through(draw, tests):
    charts = [draw([live(tests, so_far)]) for so_far in range(40, 301, 20)]
    ranges = [chart.layout.yaxis.range for chart in charts]
    for (low, high), (next_low, next_high) in pairwise(ranges):
        assert next_low <= low < high <= next_high
    assert len({chart.layout.xaxis.range for chart in charts}) == 1
    assert len({chart.layout.uirevision for chart in charts}) == 1
    low, high = ranges[-1]
    late = [y for x, y in zip(charts[-1].data[1].x, charts[-1].data[1].y, strict=True) if x > 0.31]
    assert all(low <= y + 1e-4 and y - 1e-4 <= high for y in late)


def test_the_y_axis_shows_where_the_data_is():
    rising = [0.5 + 0.03 * n for n in range(1, 6)] + [0.972 + 0.0005 * n for n in range(25)]
    charts = [accuracy_curves([live(rising, so_far)]) for so_far in (20, 300)]
    assert [chart.layout.yaxis.ticktext[0] for chart in charts] == ["0 %", "50 %"]
    settled = accuracy_curves([live([0.5, 0.9, *[0.972] * 28], 300)])
    assert settled.layout.yaxis.ticktext[0] == "97 %"
    assert "95 %" not in settled.layout.yaxis.ticktext


def test_of_a_long_run_the_line_leads_through_the_ends_of_its_epochs():
    spec = replace(run().spec, recipe=preset("tutorial"))
    scores = [Score(step, 1, 0.3, 0.8, 1000) for step in (30, 60, 130)]
    chart = accuracy_curves([Trace(replace(run(), spec=spec), [], "plain", scores)])
    lines = {line.name: line for line in chart.data}
    assert list(lines["plain, test"].x) == [1, 2, 3]
    assert list(lines["plain, some test images"].x) == [0.3, 0.6, 1, 1.3, 2, 3]
    assert lines["plain, some test images"].mode == "lines"


def test_quiet_runs_are_grey_go_no_further_than_the_others_and_count_for_the_axis():
    spec = RunSpec("plain", {}, "mnist", preset("tutorial").changed(epochs=10), "code")
    long = replace(run(epochs=3), id=spec.id, spec=spec)
    own = replace(run(epochs=1), spec=replace(run().spec, recipe=preset("fast")))
    quiet = [Trace(long, [], "plain", [Score(50, 1, 0.3, 0.8, 1000)])]
    chart = go.Figure(curves.accuracy_curves(traces(own), quiet=quiet))
    assert chart.layout.xaxis.range[1] * (1 - curves.LABELS) == pytest.approx(1)
    first = chart.data[0]
    assert (first.name, first.line.color) == ("recorded plain, test", curves.QUIET)
    assert list(first.x) == [0.5, 1]
    assert len(chart.layout.annotations) == 1
    assert chart.layout.yaxis.ticktext[0] == "80 %"


def test_seconds_run_evenly_within_an_epoch_and_by_the_speed_of_the_images_in_the_current_one():
    begun = replace(run(epochs=2, status=Status.RUNNING))
    late = Step(250, 3, 0.1, 0.97, 0.01, 1600.0, 3200)
    scores = [Score(50, 1, 0.3, 0.8, 1000)]
    chart = go.Figure(
        curves.accuracy_curves([Trace(begun, [late], "plain", scores)], axis="seconds")
    )
    test = chart.data[1]
    assert list(test.x) == [2.5, 5, 10]
    assert list(chart.data[0].x) == [12]  # half an epoch of 6,400 images at 1,600 a second
    assert chart.layout.xaxis.range[1] * (1 - curves.LABELS) == pytest.approx(20)
    assert chart.layout.xaxis.title.text == "seconds of training"
    assert test.hovertemplate.startswith("after %{x:.3~g} s")
    ended = replace(begun, status=Status.PAUSED)
    chart = go.Figure(
        curves.accuracy_curves([Trace(ended, [late], "plain", scores)], axis="seconds")
    )
    assert chart.layout.xaxis.range[1] * (1 - curves.LABELS) == pytest.approx(12)


@given(st.floats(0.01, 1e5), st.floats(1, 10))
def test_the_seconds_of_a_live_run_grow_by_steps(second, more):
    end, later = curves._round_up(second), curves._round_up(second * more)
    assert second <= end * (1 + 1e-9) <= 2.5 * second + 1e-6
    assert later >= end
    assert len(curves._ticks(end)) <= 11


def test_runs_that_differ_in_their_seed_share_a_hue_and_get_a_bold_mean():
    runs = [run(seed=0), run(seed=1, accuracy=0.92), run("residual")]
    own = looks(runs)
    assert own[runs[0].id] == own[runs[1].id] != own[runs[2].id]
    chart = accuracy_curves(traces(*runs))
    assert "mean of 2 seeds" in chart.layout.annotations[0].text
    assert "94.00 %" in chart.layout.annotations[0].text
    widths = [line.line.width for line in chart.data if line.line.dash == "solid"]
    assert max(widths) > 3 > min(widths)


def test_a_run_without_an_epoch_shows_its_training_curve():
    live = run(epochs=0, status=Status.RUNNING)
    chart = loss_curves([Trace(live, steps(6), "plain")])
    assert chart.data[0].x[-1] == 1.0
    assert chart.layout.annotations[0].text.endswith(" plain<br><b>0.200</b>")


def test_nothing_at_all_is_an_empty_chart():
    assert len(accuracy_curves([]).data) == 0


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_the_ends_of_the_scale_can_be_drawn(accuracy):
    end = replace(run().epochs[0], test_accuracy=accuracy, train_loss=1e30, test_loss=0.0)
    extreme = replace(run(), epochs=(end,))
    for draw in (accuracy_curves, loss_curves):
        chart = draw(traces(extreme))
        low, high = chart.layout.yaxis.range
        assert all(y <= high + 1e-3 for y in chart.data[1].y)
        assert all(low - 1e-3 <= y for y in chart.data[1].y)


def test_many_steps_are_thinned():
    long = [Step(i, 1, 0.5, 0.5, 0.01, 9000.0, 64) for i in range(1, 20_000)]
    chart = accuracy_curves([Trace(run(), long, "plain")])
    assert len(chart.data[0].x) < 250


@pytest.mark.parametrize("draw", [curves.accuracy_curves, curves.loss_curves])
def test_what_is_sent_of_a_long_run_is_bounded(draw):
    long = [Step(i, 1, 0.5, 0.5, 0.01, 9000.0, 64) for i in range(1, 20_000)]
    sent = to_json(plain(draw([Trace(run(), long, "plain")])))
    assert 1_000 < len(sent) < 8_000
    assert "template" not in json.loads(sent)["layout"]


def test_a_figure_of_plotly_s_is_sent_without_its_template():
    sent = plain(go.Figure(layout={"template": "plotly", "height": 70}))
    assert sent == {"data": [], "layout": {"height": 70}}


def test_what_is_not_a_number_is_a_gap():
    ends = [Step(i, 1, loss, 0.5, 0.01, 9000.0, 2000) for i, loss in ((1, 1.0), (2, nan), (3, 1.0))]
    sent = json.loads(to_json(curves.loss_curves([Trace(run(epochs=0), ends, "plain")])))
    assert sent["data"][0]["y"] == [0, None, 0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_labels_never_overlap_and_stay_on_the_chart(wanted):
    places = _apart(wanted, [0.1] * len(wanted), 0.0, 1.0)
    for a, b in zip(sorted(places), sorted(places)[1:], strict=False):
        assert b - a >= 0.1 - 1e-9
    assert min(places) >= 0.05 - 1e-9
    assert max(places) <= 0.95 + 1e-9
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    assert [places[i] for i in order] == sorted(places)


def test_a_seed_that_has_only_begun_does_not_disturb_the_mean_of_the_others():
    done = [run(seed=0), run(seed=1, accuracy=0.92)]
    new = run(seed=2, epochs=0, status=Status.RUNNING)
    labels = distinguish([*done, new])
    begun = Trace(new, steps(4), labels[new.id])
    chart = accuracy_curves([begun, *traces(*done)])
    assert "mean of 2 seeds" in chart.layout.annotations[0].text
    assert "94.00 %" in chart.layout.annotations[0].text


def test_long_labels_are_cut_and_found_whole_under_the_pointer():
    name = "an-architecture-with-a-very-long-name"
    chart = accuracy_curves(traces(run(name)))
    lines = chart.layout.annotations[0].text.split("</span> ")[1].split("<br>")
    assert all(len(line) <= 24 for line in lines[:-1])
    assert lines[0].endswith("…")
    assert chart.data[0].name.startswith(name)


def test_the_training_curve_goes_on_to_the_last_step():
    odd = [*steps(6), Step(108, 2, 0.2, 0.6, 0.01, 9000.0, 300)]
    chart = accuracy_curves([Trace(run(), odd, "plain")])
    assert chart.data[0].x[-1] == 1.08
