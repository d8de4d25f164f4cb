from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from inspection.trees import UNUSUAL, property_test, small_data, unchanged
from torch import nn

from explorer.data.loader import Split
from explorer.inspection.activations import record
from explorer.inspection.excitation import (
    AFFORDED,
    MOST,
    SAMPLES,
    Excitation,
    affordable,
    merged,
)
from explorer.inspection.exciting import excitations
from explorer.inspection.network import look_into

DATA = small_data(300)  # more than run at once


class Net(nn.Module):
    """A stem, a block and a classifier, in plain code."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.conv = nn.Conv2d(1, 5, 3), nn.Conv2d(5, 5, 3, padding=1)
        self.linear = nn.Linear(5 * 36, 3)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        return self.linear((x + self.conv(x)).flatten(1))


def naive(values, sign):
    """Sort the images of one channel by hand: index, value and unit."""
    peaks = values.reshape(len(values), -1)
    strength = [float(row.max()) for row in peaks]
    order = sorted(range(len(values)), key=lambda image: (sign * strength[image], image))
    found = []
    for image in order[:MOST]:
        row = peaks[image].tolist()
        where = row.index(max(row))
        is_flat = len(row) > 1 and min(row) == max(row)
        unit = divmod(where, values.shape[-1]) if values.ndim == 3 else (0, 0)
        found.append((image, strength[image], None if is_flat else unit))
    return found


def compare(found: Excitation, maps, labels, classes=3):
    """Compare what excites a part with what its maps, `(N, C, …)`, say by hand."""
    for channel in range(maps.shape[1]):
        values = maps[:, channel]
        assert found.images(found.most, channel) == naive(values, -1)
        assert found.images(found.least, channel) == naive(values, 1)
        peaks = values.reshape(len(values), -1).max(axis=1).astype(np.float64)
        assert found.most.tied[channel] == (peaks == peaks.max()).sum()
        assert found.least.tied[channel] == (peaks == peaks.min()).sum()
        for number in range(classes):
            own = peaks[labels == number]
            assert found.counts[number, channel] == len(own)
            if len(own):
                assert found.means[number, channel] == pytest.approx(own.mean(), abs=1e-9)
                assert found.stds[number, channel] == pytest.approx(own.std(), abs=1e-7)
            else:
                assert np.isnan(found.means[number, channel])
        mean, std = (each[channel] for each in found.overall)
        assert (mean, std) == pytest.approx((peaks.mean(), peaks.std()), abs=1e-7)
        between = sum(
            (labels == number).sum() * (peaks[labels == number].mean() - peaks.mean()) ** 2
            for number in set(labels)
        )
        wanted = between / peaks.var() / len(peaks) if peaks.std() else 0
        assert found.explained[channel] == pytest.approx(wanted, abs=1e-6)


def recorded(model, split):
    """Run the images as `excitations` does, whose arithmetic depends on how many run at once."""
    found = [record(model, images) for images, _ in split.batches(251)]
    return {name: np.concatenate([each.maps[name] for each in found]) for name in found[0].maps}


def test_the_images_and_the_class_means_of_all_channels_are_those_found_by_hand():
    model, split = Net(), DATA.test
    with unchanged(model):
        found = excitations(model, split, 3)
    maps = recorded(model, split)
    assert set(found) == set(maps)
    assert {"stem", "relu()", "conv", "add()", "add().skip", "linear"} <= set(found)
    for name, part in found.items():
        assert part.shape == maps[name].shape[1:]
        compare(part, maps[name], split.labels.numpy())


def test_of_the_images_that_excite_a_channel_equally_those_with_the_smaller_index_come_first():
    class Steps(nn.Module):
        """Whether an image's first pixel is bright, in each unit; a dead channel; a feature."""

        def forward(self, x):
            bright = (x[:, :, :1, :1] > 0).float().expand(-1, 1, 2, 2)
            return torch.cat([bright, torch.relu(-bright - 1)], 1)

    model, split = nn.Sequential(Steps(), nn.Flatten()), DATA.test
    found = excitations(model, split, 3)
    maps = recorded(model, split)
    for name, part in found.items():
        compare(part, maps[name], split.labels.numpy())
    dead = found["0"].images(found["0"].least, 1)
    assert [excited.image for excited in dead] == list(range(MOST))
    assert {excited.unit for excited in dead} == {None}
    assert found["0"].most.tied[1] == found["0"].least.tied[1] == len(split)
    assert found["0"].explained[1] == 0


@pytest.mark.parametrize("size", [1, 4, 8, 9, 10])
def test_fewer_images_than_are_asked_for_are_all_there_is(size):
    model, split = Net(), DATA.test.first(size)
    found = excitations(model, split, 3)
    assert found["stem"].most.images.shape == (min(size, MOST), 5)
    for name, part in found.items():
        compare(part, recorded(model, split)[name], split.labels.numpy())


def test_what_is_no_number_counts_nowhere():
    class Logarithm(nn.Module):
        def forward(self, x):
            return torch.cat([x.flatten(1)[:, :2].log(), torch.full((len(x), 1), torch.nan)], 1)

    split = DATA.test
    found = excitations(nn.Sequential(Logarithm()), split, 3)["0"]
    pixels = split.normalise(split.images).flatten(1)[:, :2].numpy()
    for channel in range(2):
        known = np.flatnonzero(pixels[:, channel] > 0)
        assert 0 < found.counts[:, channel].sum() == len(known) < len(split)
        strongest = known[np.argsort(-pixels[known, channel], kind="stable")[:MOST]]
        ends = [found.images(end, channel) for end in (found.most, found.least)]
        assert sorted(each.value for each in ends[0]) == pytest.approx(
            sorted(np.log(pixels[strongest, channel])), rel=1e-5
        )
        assert {each.image for each in ends[1]} <= set(known.tolist())
    assert found.counts[:, 2].sum() == 0
    assert found.images(found.most, 2) == found.images(found.least, 2) == []
    assert found.explained[2] == 0
    assert np.isnan(found.overall[0][2])


def test_a_channel_that_never_changes_has_no_variance_by_rounding():
    class Constant(nn.Module):
        def forward(self, x):
            return 0 * x.flatten(1)[:, :3] + torch.tensor([0.1, 1e6 / 3, -7.7])

    found = excitations(nn.Sequential(Constant()), DATA.test, 3)["0"]
    assert found.stds.tolist() == np.zeros((3, 3)).tolist()
    assert found.explained.tolist() == [0, 0, 0]
    assert found.means.tolist() == [[np.float32(v) for v in (0.1, 1e6 / 3, -7.7)]] * 3


@property_test
@given(
    st.lists(
        st.lists(st.sampled_from([-2.0, 0.0, 0.25, 3.0, np.nan, np.inf]), min_size=2, max_size=2),
        min_size=2,
        max_size=40,
    ),
    st.data(),
)
def test_the_images_of_two_sets_together_are_those_of_both_at_once(rows, data):
    cut = data.draw(st.integers(1, len(rows) - 1))
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    images = torch.zeros(len(rows), 1, 1, 2, dtype=torch.uint8)
    values = torch.tensor(rows)

    class Looked(nn.Module):
        def forward(self, x):
            return values[self.start : self.start + len(x)] + 0 * x.flatten(1)

    looked = Looked()
    model = nn.Sequential(looked)
    split = Split(images, torch.tensor(labels), torch.zeros(1, 1, 1), torch.ones(1, 1, 1))
    found = []
    for numbers in (range(len(rows)), range(cut), range(cut, len(rows))):
        looked.start = numbers.start
        found.append(excitations(model, split, 3, numbers)["0"])
    whole, first, second = found
    both = merged(first, second)
    for end in ("most", "least"):
        one, other = getattr(both, end), getattr(whole, end)
        for channel in range(2):
            assert both.images(one, channel) == whole.images(other, channel)
        assert one.tied.tolist() == other.tied.tolist()
    np.testing.assert_array_equal(both.counts, whole.counts)
    np.testing.assert_allclose(both.means, whole.means, atol=1e-12)
    np.testing.assert_allclose(both.stds, whole.stds, atol=1e-7)
    np.testing.assert_allclose(both.explained, whole.explained, atol=1e-7)


@pytest.mark.parametrize("name", UNUSUAL)
def test_networks_with_unusual_modules_have_their_images_too(name):
    model = UNUSUAL[name]()
    found = excitations(model, DATA.test, 3)
    maps = recorded(model, DATA.test)
    assert found
    for part, values in found.items():
        compare(values, maps[part], DATA.test.labels.numpy())


def test_a_session_goes_through_the_images_piece_by_piece_and_asks_for_none_twice(monkeypatch):
    monkeypatch.setattr("explorer.inspection.excitation.SAMPLES", (70,))
    session = look_into(Net(), DATA)
    asked = []
    answering = session._answering
    session._answering = lambda question, *args: (
        asked.append((question, *args)) or answering(question, *args)
    )
    whole = excitations(Net(), DATA.test, 3)
    for name, part in session.excitations().items():
        for channel in range(part.channels):
            assert [each.image for each in part.images(part.most, channel)] == [
                each.image for each in whole[name].images(whole[name].most, channel)
            ]
        np.testing.assert_allclose(part.means, whole[name].means, atol=1e-6)
        np.testing.assert_array_equal(part.counts, whole[name].counts)
    session.excitations()
    session.excitations(images=140)
    pieces = [args[1:] for args in asked if args[0] == "excitations"]
    assert pieces == [((), start, min(300, start + 70)) for start in range(0, 300, 70)]


def test_a_network_with_something_off_has_other_images():
    session = look_into(Net(), DATA)
    off = session.excitations(["stem:0"])
    assert (off["relu()"].means[:, 0] == 0).all()
    assert (off["relu()"].means[:, 1] == session.excitations()["relu()"].means[:, 1]).all()


@pytest.mark.parametrize(
    ("macs", "total", "number"),
    [
        (1, 10_000, SAMPLES[0]),
        (1, 30, 30),
        (0, 10_000, SAMPLES[0]),
        (AFFORDED // 500, 10_000, 500),
        (AFFORDED // 500 + 1, 10_000, 200),
        (AFFORDED, 10_000, SAMPLES[-1]),
    ],
)
def test_a_large_network_is_shown_fewer_images(macs, total, number):
    assert affordable(macs, total) == number


def test_colour_and_grey_images_are_shown_as_the_network_takes_them():
    images = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8)
    split = replace(DATA.test, images=images, labels=torch.arange(20) % 3)
    split = replace(split, mean=torch.full((3, 1, 1), 0.5), std=torch.full((3, 1, 1), 0.5))
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 3))
    for name, part in excitations(model, split, 3).items():
        compare(part, recorded(model, split)[name], split.labels.numpy())
