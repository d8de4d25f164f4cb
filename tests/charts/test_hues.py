from built_ins import REGISTRY
from torch import nn

from explorer.branches import Branches
from explorer.charts.hues import branch_hues
from explorer.charts.style import BRANCHES, ROLES
from explorer.inspection.outline import outline
from explorer.inspection.parts import blocks
from explorer.spec import ImageSpec

MNIST = ImageSpec(1, 28, 10)


def hues(model):
    return [branch_hues(block) for block in blocks(outline(model, MNIST).parts)]


def test_a_branch_has_the_hue_of_what_it_is_in_every_block():
    first, second = hues(REGISTRY["inception"].build(MNIST, {}))
    assert first == second
    assert first == {
        "branch1x1": ROLES["1x1"],
        "branch5x5": ROLES["5x5"],
        "branch3x3": ROLES["3x3"],
        "branch_pool": ROLES["pool"],
    }
    (residual, _) = hues(REGISTRY["residual"].build(MNIST, {}))
    assert residual == {"skip": ROLES["skip"], "residual": ROLES["correction"]}


def test_a_projection_is_no_skip_and_what_is_added_to_it_is_the_correction():
    found = hues(REGISTRY["resnet34"].build(MNIST, {}))
    projections = [block for block in found if ROLES["1x1"] in block.values()]
    assert len(projections) == 3
    assert all(ROLES["correction"] in block.values() for block in found)


def test_branches_of_one_role_or_of_none_have_hues_of_their_own():
    paths = {str(place): nn.Conv2d(1, 2, 3, padding=1) for place in range(6)}
    paths |= {"sigmoid": nn.Sigmoid(), "tanh": nn.Tanh()}
    model = nn.Sequential(Branches(paths), nn.Flatten(), nn.Linear(14 * 784, 10))
    (found,) = hues(model)
    assert len(set(found.values())) == len(found) == 8
    assert found["0"] == ROLES["3x3"]
    many = {str(place): nn.Conv2d(1, 1, 1) for place in range(2 * len(BRANCHES))}
    (found,) = hues(nn.Sequential(Branches(many), nn.Flatten(), nn.Linear(16 * 784, 10)))
    assert len(found) == 16
