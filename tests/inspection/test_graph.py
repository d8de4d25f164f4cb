"""Any network's branches, found by watching its tensors, against how the network was made."""

import functools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from explorer.inspection.ablation import switched_off
from explorer.inspection.graph import record
from explorer.inspection.intervene import intervene
from explorer.inspection.parts import blocks, branches, nodes
from explorer.inspection.tracing import trace

property_test = settings(max_examples=60, deadline=None)
WIDTH = 3


# --- random networks, written in plain code

ways = st.recursive(
    st.just("conv"),
    lambda inner: st.one_of(
        st.tuples(st.just("row"), st.lists(inner, min_size=2, max_size=3)),
        st.tuples(st.just("sum"), st.lists(inner, min_size=1, max_size=2), st.booleans()),
        st.tuples(st.just("concat"), st.lists(inner, min_size=2, max_size=3), st.booleans()),
        st.tuples(st.just("product"), inner),
    ),
    max_leaves=8,
)


class Plain(nn.Module):
    """Nested sums, concatenations and gates, as anyone would write them.

    `merges` is what it was made of: for each merge its kind, and for each branch whether it is a
    skip, in the order in which they run. `off` is the number of a merge and of one of its
    branches, which then gives zeros, or ones where it is a factor.
    """

    def __init__(self, way):
        super().__init__()
        self.way, self.layers = way, nn.ModuleList()
        self.plan = self.build(way)
        self.linear = nn.Linear(WIDTH, 4)
        self.off = None

    def conv(self, inputs=WIDTH):
        self.layers.append(nn.Conv2d(inputs, WIDTH, 1))
        return len(self.layers) - 1

    def build(self, way):
        if way == "conv":
            return ("conv", self.conv())
        kind, inner, *skip = way
        if kind == "product":
            return (kind, [self.build(inner)], self.conv())
        plans = [self.build(each) for each in inner]
        if kind == "concat":
            return (kind, plans, skip[0], self.conv(WIDTH * (len(plans) + skip[0])))
        return (kind, plans, *skip)

    def forward(self, x):
        self.merges = []
        return self.linear(self.run(self.plan, torch.tanh(x)).mean((2, 3)))

    def terms(self, plan, x, kind):
        """What a plan gives to a merge: a sum within a sum is one sum."""
        if kind == plan[0] == "sum":
            terms = [value for each in plan[1] for value in self.terms(each, x, kind)]
            return [*terms, x] if plan[2] else terms
        return [self.run(plan, x)]

    def run(self, plan, x):
        kind = plan[0]
        if kind == "conv":
            return torch.tanh(self.layers[plan[1]](x))
        if kind == "row":
            for each in plan[1]:
                x = self.run(each, x)
            return x
        found = [value for each in plan[1] for value in self.terms(each, x, kind)]
        if kind == "product":
            found.append(torch.sigmoid(self.layers[plan[2]](x)))
        elif plan[2]:
            found.append(x)
        if len(found) == 1:
            return found[0]
        number = len(self.merges)
        skips = [value is x for value in found]
        self.merges.append((kind, skips))
        if self.off is not None and self.off[0] == number:
            like = torch.ones_like if kind == "product" else torch.zeros_like
            found[self.off[1]] = like(found[self.off[1]])
        if kind == "sum":
            return functools.reduce(torch.add, found)
        if kind == "product":
            return found[0] * found[1]
        return torch.tanh(self.layers[plan[3]](torch.cat(found, 1)))


def network(way, seed=0):
    torch.manual_seed(seed)
    return Plain(way).eval()


def seen(model, images):
    return trace(model, images, keep=lambda _: None)


def by_merge(parts):
    return sorted(blocks(parts), key=lambda block: block.merge.number)


@given(ways)
@property_test
def test_the_blocks_are_those_that_the_network_was_made_of(way):
    model, images = network(way), torch.randn(2, WIDTH, 4, 4)
    found = by_merge(seen(model, images).parts)
    assert [
        (block.kind, [branch.is_skip for branch in block.branches.values()]) for block in found
    ] == model.merges


@given(ways)
@property_test
def test_every_node_is_listed_once(way):
    run = seen(network(way), torch.randn(2, WIDTH, 4, 4))
    listed = [node.number for node in nodes(run.parts)]
    assert sorted(listed) == sorted(run.graph.live - {0})
    names = [node.name for node in run.graph.nodes]
    assert len(set(names)) == len(names)


@given(ways, st.integers(0, 99))
@property_test
def test_a_branch_that_is_off_gives_what_the_rewritten_network_gives(way, which):
    model, images = network(way), torch.randn(2, WIDTH, 4, 4)
    run = seen(model, images)
    if not model.merges:
        return
    number = which % len(model.merges)
    branch = which % len(model.merges[number][1])
    off = list(by_merge(run.parts)[number].branches.values())[branch].path
    with torch.no_grad():
        before = model(images)
        changed = intervene(model, images, switched_off(run, [off]))
        assert torch.equal(model(images), before)
        model.off = (number, branch)
        assert torch.equal(changed, model(images))


@given(ways)
@property_test
def test_watching_changes_nothing_to_the_bit(way):
    model, images = network(way), torch.randn(2, WIDTH, 4, 4)
    with torch.no_grad():
        wanted = model(images)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator, given_images = torch.get_rng_state(), images.clone()
    _, _, output = record(model, images, lambda tensor: tensor.clone())
    assert torch.equal(output, wanted)
    assert torch.equal(images, given_images)
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@given(ways)
@property_test
def test_names_stay_the_same_from_run_to_run(way):
    model = network(way)
    first = seen(model, torch.randn(1, WIDTH, 4, 4))
    second = seen(network(way, seed=1), torch.randn(3, WIDTH, 5, 5))
    assert list(branches(first.parts)) == list(branches(second.parts))
    assert [node.name for node in first.graph.nodes] == [node.name for node in second.graph.nodes]
