import pytest
import torch
from built_ins import REGISTRY
from hypothesis import assume, given
from hypothesis import strategies as st
from inspection.trees import UNUSUAL, Breaks, networks, property_test, unchanged
from torch import nn

from explorer.branches import Branches
from explorer.inspection.fields import NOTHING, Extent, ReceptiveField, by_reach
from explorer.inspection.parts import Block, blocks, branches
from explorer.inspection.receptive import receptive_fields
from explorer.inspection.tracing import trace
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)
ARCHITECTURES = REGISTRY.architectures
SIZES = (1, 3), (4, 20), (4, 20)  # channels, height, width


class Side:
    """One side of an image and of the maps above it, followed by arithmetic alone."""

    def __init__(self, pixels):
        self.pixels = pixels
        self.seen = [{pixel} for pixel in range(pixels)]  # by each unit
        self.size, self.stride, self.offset = 1, 1, 0

    def last(self, kernel, padding, dilation):
        """Where a window can begin at most, from where the first one does."""
        return len(self.seen) + 2 * padding - dilation * (kernel - 1) - 1

    def apply(self, kernel, stride, padding, dilation):
        begins = range(-padding, self.last(kernel, padding, dilation) - padding + 1, stride)
        taps = [range(first, first + kernel * dilation, dilation) for first in begins]
        within = range(len(self.seen))
        self.seen = [set().union(*(self.seen[t] for t in ts if t in within)) for ts in taps]
        self.size += (kernel - 1) * dilation * self.stride
        self.offset -= padding * self.stride
        self.stride *= stride

    @property
    def spans(self):
        return tuple((min(seen), max(seen)) if seen else NOTHING for seen in self.seen)


@st.composite
def chains(draw, regular=False):
    """A chain of convolutions and pools, the image it takes, and its sides after each layer.

    In a regular one no kernel has holes, none begins beyond the padding that it needs to keep the
    size, and strides leave no unit of the map before over.
    """
    torch.manual_seed(draw(st.integers(0, 2**31)))
    channels, *lengths = image = draw(st.tuples(*(st.integers(*ends) for ends in SIZES)))
    sides, layers = [Side(length) for length in lengths], [nn.ReLU()]
    followed = [[side.spans for side in sides]]
    for kind in draw(
        st.lists(st.sampled_from([nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d]), max_size=4)
    ):
        windows = []
        for side in sides:
            kernel = draw(st.integers(1, 4))
            wide = kind is nn.Conv2d and not regular
            padding = draw(st.integers(0, kernel if wide else kernel // 2))
            dilation = draw(st.integers(1, 2 if kind is not nn.AvgPool2d and not regular else 1))
            last, stride = side.last(kernel, padding, dilation), draw(st.integers(1, 3))
            if regular and last % stride:
                stride = 1
            windows.append((kernel, stride, padding, dilation))
            if last < 0:
                return nn.Sequential(*layers), image, sides, followed
        kernel, stride, padding, dilation = zip(*windows, strict=True)
        if kind is nn.Conv2d:
            outputs = draw(st.integers(1, 3))
            layers.append(nn.Conv2d(channels, outputs, kernel, stride, padding, dilation))
            channels = outputs
        else:
            layers.append(kind(kernel, stride, padding, *[dilation] * (kind is nn.MaxPool2d)))
        for side, window in zip(sides, windows, strict=True):
            side.apply(*window)
        spans = [side.spans for side in sides]
        # What sees no row of the image sees no pixel of it, so no column either.
        blind = any(set(one) == {NOTHING} for one in spans)
        followed.append([(NOTHING,) * len(one) if blind else one for one in spans])
    return nn.Sequential(*layers), image, sides, followed


@given(chains())
@property_test
def test_every_unit_of_a_chain_sees_the_pixels_that_arithmetic_says(drawn):
    model, image, _, followed = drawn
    fields = receptive_fields(model, image)
    assert list(fields) == [str(number) for number in range(len(followed))]
    for field, spans in zip(fields.values(), followed, strict=True):
        assert [field.rows.spans, field.columns.spans] == spans
        assert (field.rows.pixels, field.columns.pixels) == image[1:]


@given(chains(regular=True))
@property_test
def test_size_stride_and_offset_of_a_chain_follow_the_textbooks_recursion(drawn):
    model, image, sides, _ = drawn
    field = list(receptive_fields(model, image).values())[-1]
    for extent, side in zip((field.rows, field.columns), sides, strict=True):
        if extent.spans == ((0, side.pixels - 1),) or set(extent.spans) == {NOTHING}:
            continue  # the one unit sees everything, or none anything: no more is known
        assert extent.size in (None, side.size)
        assert extent.stride in (None, side.stride)
        assert extent.offset in (None, side.offset)
        if side.pixels > 2 * side.size + side.stride:
            assert extent.size == side.size


@pytest.mark.parametrize(
    ("layer", "size", "stride", "offset", "text"),
    [
        (nn.Conv2d(1, 1, 3), 3, 1, 0, "3×3"),
        (nn.Conv2d(1, 1, 5, padding=2), 5, 1, -2, "5×5"),
        (nn.Conv2d(1, 1, 3, stride=2, padding=1), 3, 2, -1, "3×3"),
        (nn.Conv2d(1, 1, 3, padding=2, dilation=2), 5, 1, -2, "5×5"),
        (nn.Conv2d(1, 1, 3, padding=3, dilation=3), 7, 1, -3, "7×7"),
        (nn.Conv2d(1, 1, 5, padding=8, dilation=4), 17, 1, -8, "17×17"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), 3, 1, -1, "3×3"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), 3, 1, -1, "3×3"),
        (nn.MaxPool2d(2), 2, 2, 0, "2×2"),
        (nn.ReLU(), 1, 1, 0, "1×1"),
    ],
    ids=str,
)
def test_the_border_does_not_hide_how_much_a_layer_sees(layer, size, stride, offset, text):
    field = receptive_fields(nn.Sequential(layer), (1, 28, 28))["0"]
    for extent in (field.rows, field.columns):
        assert (extent.size, extent.stride, extent.offset) == (size, stride, offset)
    assert str(field) == text


def test_height_and_width_are_distinguished():
    field = receptive_fields(nn.Sequential(nn.Conv2d(1, 1, (3, 5), padding=(0, 2))), (1, 9, 12))
    rows, columns = field["0"].rows, field["0"].columns
    assert (rows.size, rows.offset, rows.pixels, len(rows.spans)) == (3, 0, 9, 7)
    assert (columns.size, columns.offset, columns.pixels, len(columns.spans)) == (5, -2, 12, 12)
    assert str(field["0"]) == "3×5"


@pytest.mark.parametrize(
    ("layer", "image"),
    [
        (nn.Conv2d(1, 1, 3, stride=3, padding=1), (1, 5, 5)),
        (nn.Conv2d(1, 1, 3, stride=2), (1, 5, 5)),
    ],
)
def test_few_units_are_not_said_to_see_the_whole_image_if_none_does(layer, image):
    field = receptive_fields(nn.Sequential(layer), image)["0"]
    assert str(field) == "3×3"


@pytest.mark.parametrize(
    ("layers", "spans", "size", "text"),
    [
        (
            [nn.Conv2d(1, 1, 3, padding=2, dilation=2)],
            ((0, 2), (1, 3), (0, 2), (1, 3)),
            None,
            "3×3",
        ),
        (
            [nn.Conv2d(1, 1, 2), nn.Conv2d(1, 1, 1, stride=2, padding=1), nn.Conv2d(1, 1, 2)],
            ((1, 2), (1, 2)),
            2,
            "2×2",
        ),
    ],
    ids=["holes of a kernel", "padding by more than half a kernel"],
)
def test_a_line_that_the_border_only_feigns_is_not_believed(layers, spans, size, text):
    field = list(receptive_fields(nn.Sequential(*layers), (1, 4, 4)).values())[-1]
    assert field.columns.spans == spans
    assert (field.columns.size, field.columns.offset, str(field)) == (size, None, text)


def test_the_tutorials_last_pool_branch_sees_the_whole_image_as_one_of_its_units_does():
    fields = receptive_fields(ARCHITECTURES["inception"].build(MNIST), (1, 28, 28))
    field = fields["incep2.branch_pool"]
    assert not field.is_everything
    assert (0, 27) in field.rows.spans
    assert str(field) == "the whole image"


@pytest.mark.parametrize(
    "layer",
    [
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveMaxPool2d(1),
        nn.Sequential(nn.Flatten(), nn.Linear(2 * 6 * 7, 3)),
        nn.LayerNorm([2, 6, 7]),
        nn.GroupNorm(1, 2),
        nn.InstanceNorm2d(2),
        nn.Softmax(dim=-2),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_mixes_all_pixels_sees_everything(layer):
    model = nn.Sequential(nn.Conv2d(1, 2, 1), layer)
    if isinstance(layer, nn.Softmax):
        model.append(nn.Softmax(dim=-1))
    field = list(receptive_fields(model, (1, 6, 7)).values())[-1]
    assert field.is_everything
    assert str(field) == "the whole image"
    assert field.area == 42


def test_a_flat_output_is_one_unit():
    field = receptive_fields(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten()), (1, 5, 6))["1"]
    assert (field.rows.spans, field.columns.spans) == (((0, 4),), ((0, 5),))


def test_a_map_that_sees_nothing_of_the_image_says_so():
    class Blank(nn.Module):
        def forward(self, x):
            return torch.zeros_like(x)

    field = receptive_fields(nn.Sequential(Blank()), (1, 3, 4))["0"]
    assert (field.rows.spans, field.columns.spans) == ((NOTHING,) * 3, (NOTHING,) * 4)
    assert field.area == 0


def test_outputs_that_are_no_maps_count_as_one_unit_that_sees_what_any_value_sees():
    model = nn.Sequential(nn.Conv2d(2, 1, (1, 2)), nn.Flatten(2), nn.Linear(16, 3), nn.Flatten())
    fields = receptive_fields(model, (2, 4, 5))
    assert list(fields) == ["0", "1", "2", "3"]
    for name in "123":
        assert (fields[name].rows.spans, fields[name].columns.spans) == (((0, 3),), ((0, 4),))
    corner = nn.Sequential(nn.Conv2d(2, 1, 2), First(), nn.Flatten(2))
    field = receptive_fields(corner, (2, 4, 5))["2"]
    assert (field.rows.spans, field.columns.spans) == (((0, 2),), ((0, 1),))


class First(nn.Module):
    """Gives two places of a map."""

    def forward(self, x):
        return x[:, :, :2, :1] * 1


def test_an_operation_sees_as_much_as_the_layer_that_does_the_same():
    class Operates(nn.Sequential):
        def forward(self, x):
            return nn.functional.max_pool2d(torch.relu(super().forward(x)), 2)

    fields = receptive_fields(Operates(nn.Conv2d(1, 1, 3)), (1, 28, 28))
    layers = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU(), nn.MaxPool2d(2))
    assert list(fields) == ["0", "relu()", "max_pool2d()"]
    assert list(fields.values()) == list(receptive_fields(layers, (1, 28, 28)).values())


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(),
        nn.ReLU6(),
        nn.LeakyReLU(),
        nn.ELU(),
        nn.GELU(),
        nn.SiLU(),
        nn.Mish(),
        nn.Hardswish(),
        nn.Sigmoid(),
        nn.Tanh(),
        nn.BatchNorm2d(1),
        nn.Dropout2d(),
        nn.PReLU(),
    ],
    ids=str,
)
def test_no_activation_and_no_normalisation_of_single_values_loses_sight(activation):
    model = nn.Sequential(nn.Conv2d(1, 1, 3), activation)
    fields = receptive_fields(model, (1, 9, 17))
    assert fields["1"] == fields["0"]
    assert str(fields["1"]) == "3×3"


@given(networks())
@property_test
def test_a_block_sees_what_any_of_its_branches_sees(drawn):
    model, images = drawn
    fields = receptive_fields(model, tuple(images.shape[1:]))
    found_blocks = list(blocks(trace(model, images, keep=lambda _: None).parts))
    assume(found_blocks)
    for block in found_blocks:
        inside = [fields[branch.path] for branch in block.branches.values()]
        for side in ("rows", "columns"):
            found = getattr(fields[block.name], side).spans
            for unit, span in enumerate(found):
                spans = [getattr(field, side).spans[unit] for field in inside]
                assert span == (min(first for first, _ in spans), max(last for _, last in spans))


def test_a_branch_of_a_sum_in_place_sees_what_it_gives_and_not_what_the_sum_is():
    class Adds(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.other = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x):
            out = self.conv(x)
            out += self.other(x)
            return out

    model = nn.Sequential(Adds())
    (block,) = trace(model, torch.zeros(1, 1, 9, 9), keep=lambda _: None).parts
    fields = receptive_fields(model, (1, 9, 9))
    seen = [str(fields[branch.path]) for branch in block.branches.values()]
    assert (seen, str(fields["0"])) == (["1×1", "3×3"], "3×3")


def test_the_branches_of_the_tutorials_first_block_see_these_many_pixels():
    fields = receptive_fields(ARCHITECTURES["inception"].build(MNIST), (1, 28, 28))
    names = ("branch1x1", "branch5x5", "branch3x3", "branch_pool")
    sizes = {name: str(fields[f"incep1.{name}"]) for name in names}
    assert list(sizes.values()) == ["6×6", "14×14", "14×14", "10×10"]
    assert str(fields["incep1"]) == "14×14"


def test_a_network_that_refuses_nan_has_the_same_fields_measured_by_changes():
    class Careful(nn.Sequential):
        def forward(self, x):
            if x.isnan().any():
                raise ValueError("not a number")
            return super().forward(x)

    model = Careful(nn.Conv2d(1, 1, 3))
    with unchanged(model):
        found = receptive_fields(model, (1, 6, 6))["0"]
    plain = receptive_fields(nn.Sequential(*model), (1, 6, 6))["0"]
    assert (found.rows, found.columns) == (plain.rows, plain.columns)
    assert (found.is_least, plain.is_least) == (True, False)


def test_a_network_that_refuses_all_but_its_own_images_has_no_fields_and_raises_nothing():
    model = Breaks(nn.Conv2d(1, 1, 3))
    with unchanged(model):
        assert receptive_fields(model, (1, 6, 6)) == {}


def test_measuring_leaves_the_network_unchanged():
    model = nn.Sequential(
        nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.ReLU(inplace=True)
    )
    model.to(memory_format=torch.channels_last).double().train()[1].eval()
    with unchanged(model):
        fields = receptive_fields(model, (2, 6, 6))
    assert [str(field) for field in fields.values()] == ["3×3"] * 4
    assert model[0].weight.dtype == torch.float64
    assert not model[0].weight.is_contiguous()


def test_networks_by_others_can_be_measured(stranger):
    with unchanged(stranger):
        fields = receptive_fields(stranger, (1, 32, 32))
        run = trace(stranger, torch.zeros(1, 1, 32, 32), lambda _: None)
    assert list(fields) == list(run.kept)
    assert set(branches(run.parts)) < set(fields)
    first, last = run.parts[0].name, run.parts[-1].name
    field = fields[first]
    assert (str(field), field.rows.stride, field.rows.offset) == ("7×7", 2, -3)
    assert fields[last].is_everything
    (block, *_) = [part for part in run.parts if isinstance(part, Block)]
    for branch in block.branches.values():
        if branch.is_skip:
            assert fields[branch.path].area < fields[block.name].area


def test_the_branches_are_sorted_by_how_much_they_see_and_equal_ones_stay_as_they_are():
    paths = {
        "wide": nn.Conv2d(1, 1, 5, padding=2),
        "skip": nn.Identity(),
        "tall": nn.Conv2d(1, 1, (3, 1), padding=(1, 0)),
        "flat": nn.Conv2d(1, 1, (1, 3), padding=(0, 1)),
        "one": nn.Conv2d(1, 1, 1),
    }
    model = nn.Sequential(Branches(paths, merge="add"))
    (block,) = trace(model, torch.zeros(1, 1, 9, 9), keep=lambda _: None).parts
    fields = receptive_fields(model, (1, 9, 9))
    assert by_reach(block, fields) == ["skip", "one", "tall", "flat", "wide"]
    assert by_reach(block, {}) == list(paths)


def test_the_area_is_the_mean_over_the_units_within_the_image():
    field = ReceptiveField(Extent(((0, 1), (0, 2), (1, 2)), 3), Extent(((0, 4),), 5))
    assert field.area == pytest.approx((2 + 3 + 2) / 3 * 5)


@pytest.mark.parametrize(
    ("name", "layer", "text"),
    [
        ("weight norm", "0", "3×3"),
        ("old weight norm", "0", "3×3"),
        ("spectral norm", "1", "3×3"),
        ("orthogonal", "3", "the whole image"),
        ("queries", "embed", "1×1"),
        ("odd modules", "sum", "the whole image"),
        ("cached table", "conv", "3×3"),
    ],
)
def test_networks_with_unusual_modules_can_be_measured(name, layer, text):
    model = UNUSUAL[name]()
    with unchanged(model):
        assert str(receptive_fields(model, (1, 8, 8))[layer]) == text


def test_what_is_computed_from_a_parameter_alone_sees_no_image():
    assert "drop" not in receptive_fields(UNUSUAL["queries"](), (1, 8, 8))
