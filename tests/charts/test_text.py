"""A chart shows names as text, whatever is in them."""

import json
import re
from dataclasses import replace

import numpy as np
from plotly.graph_objects import Figure

from explorer.charts.bars import Worth, probabilities, shares, worths
from explorer.charts.curves import Trace, accuracy_curves
from explorer.charts.grids import gradient_history, gradients_by_depth
from explorer.charts.maps import saliency
from explorer.statistics.intervals import Interval
from explorer.training.events import Gradients

EVIL = "<a href='https://evil.example'>%{evil} &lt;evil"
TAGS = re.compile(r'<(?!/?b>|br>|/?extra>|/span>|span style=\\"color: #[0-9a-f]{6}\\">)')


def test_no_tag_comes_of_a_name(examples):
    run = examples.runs()[0]
    run = replace(run, spec=replace(run.spec, architecture=EVIL))
    image, values = np.zeros((1, 4, 4), np.uint8), np.ones((4, 4), np.float32)
    charts = [
        probabilities([0.5, 0.5], [EVIL, "b"], 0),
        worths([Worth(EVIL, "#000000", 0.5, 1.0, Interval(0.4, 0.3, 0.5, 9))]),
        shares({EVIL: [0.1, 0.2]}, [0.0, 0.1], {EVIL: "#000000"}, [EVIL, "b"], [0.3, 0.1]),
        gradient_history([Gradients(1, 1, {EVIL: 1.0})], 10),
        gradients_by_depth([Gradients(1, 1, {EVIL: 1.0})], 10),
        saliency(image, [(EVIL, values)]),
        accuracy_curves([Trace(run, (), EVIL)]),
    ]
    for chart in charts:
        whole = json.loads(Figure(chart).to_json())
        del whole["layout"]["meta"]  # that is plain text for the browser too
        text = json.dumps(whole, ensure_ascii=False)
        assert "evil" in text or "…" in text
        assert TAGS.search(text) is None
        assert "%{evil" not in text
