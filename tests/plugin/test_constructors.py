"""Any callable that returns a network is an architecture, and is called with what it asks for."""

import json
import textwrap

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from explorer import ImageSpec
from explorer.cli import app
from explorer.data.loader import Data
from explorer.outputs import OutputError, first_output, tensors_in
from explorer.plugin.registry import Registry, load
from explorer.plugin.sources import built_in, from_target
from explorer.training.events import Epoch
from explorer.training.loop import train
from explorer.training.recipe import Recipe

GREY, COLOUR = ImageSpec(1, 28, 10), ImageSpec(3, 32, 10)
GREY_SETS = ["mnist", "mnist-scales", "fashion-mnist", "kmnist", "qmnist"]
OF_28_PIXELS = [name for name in GREY_SETS if name != "mnist-scales"]

HEAD = """
import functools
import torch
from torch import nn
from explorer import ImageSpec, hookimpl

@hookimpl
def register_architectures(register):
    REGISTERED

"""

# As in torch's tutorials: it takes nothing, and grey images of 28 pixels only.
NET = '''
class Net(nn.Module):
    """The tutorial's network."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 5)
        self.linear = nn.Linear(6 * 24 * 24, 10)

    def forward(self, x):
        return self.linear(torch.relu(self.conv(x)).flatten(1))
'''

SMALL = '''
class Small(nn.Module):
    """Averages, whatever the size."""

    def __init__(self, ARGUMENTS):
        super().__init__()
        self.conv = nn.Conv2d(CHANNELS, 4, 3, padding=1)
        self.linear = nn.Linear(4, CLASSES)
        BUILDING

    def forward(self, x):
        RUNNING
        return self.linear(self.conv(x).mean((2, 3)))
'''


def small(arguments, channels="3", classes="num_classes", building="pass", running="pass"):
    text = SMALL.replace("ARGUMENTS", arguments).replace("CHANNELS", channels)
    return (
        text.replace("CLASSES", classes).replace("BUILDING", building).replace("RUNNING", running)
    )


def offered(tmp_path, registered, code="") -> Registry:
    """What a plugin offers beside the built-in ones."""
    text = HEAD.replace("REGISTERED", registered) + textwrap.dedent(code)
    (tmp_path / "own.py").write_text(text)
    return load([*built_in(), from_target(str(tmp_path / "own.py"))])


def only(tmp_path, registered, code=""):
    """The one network that a plugin offers, and the data sets that it fits."""
    registry = offered(tmp_path, registered, code)
    assert registry.broken == ()
    (found,) = (a for a in registry.architectures.values() if a.source.name == "own")
    return found, list(registry.fitting(found))


def refusal(tmp_path, registered, code="") -> str:
    (broken,) = offered(tmp_path, registered, code).broken
    return broken.reason


def steps(model, data: Data) -> list[float]:
    """The mean losses of two epochs of training on a few images."""
    recipe = Recipe("adamw", 0.003, batch_size=16, epochs=2, train_size=48)
    few = Data(data.spec, data.train, data.test.first(20))
    return [event.train_loss for event in train(model, few, recipe) if isinstance(event, Epoch)]


# --- networks of torchvision


def test_resnet18_of_torchvision_is_offered_for_grey_and_coloured_images(tmp_path, mnist):
    network, fits = only(
        tmp_path,
        "from torchvision.models import resnet18; register(resnet18, fixed=dict(weights=None))",
    )
    assert network.name == "resnet18"
    assert network.summary.startswith("ResNet-18 from")
    assert network.options == ()
    assert network.images == COLOUR
    assert fits == [*GREY_SETS, "cifar-10"]
    assert network.sees(GREY) == ImageSpec(3, 28, 10)
    assert network.sees(COLOUR) == COLOUR
    assert network.build(ImageSpec(3, 32, 7)).fc.out_features == 7


def test_googlenet_of_torchvision_is_trained_with_its_auxiliary_logits(tmp_path, mnist):
    network, fits = only(
        tmp_path,
        "from torchvision.models import googlenet; "
        'register(googlenet, name="tv-googlenet", fixed={"init_weights": False})',
    )
    assert fits == [*GREY_SETS, "cifar-10"]
    assert network.constructor.kept == ("weights", "progress")
    data = mnist.seen_as(network.sees(mnist.spec))
    model = network.build(data.spec)
    inputs, _ = data.train.gather(torch.arange(2, device=data.device))
    assert len(list(tensors_in(model.to(data.device)(inputs)))) == 3
    recipe = Recipe(batch_size=8, epochs=1, train_size=8)
    few = Data(data.spec, data.train, data.test.first(4))
    assert isinstance(list(train(model, few, recipe))[-1], Epoch)


# --- what a constructor asks for


@pytest.mark.parametrize(
    ("arguments", "channels"),
    [
        ("num_classes, in_channels", "in_channels"),
        ("in_chans=3, num_classes=1000", "in_chans"),
        ("width=8, *layers, in_chans=3, num_classes, **others", "in_chans"),
        ("num_classes, in_chans, /", "in_chans"),
    ],
)
def test_channels_and_classes_are_given_by_the_names_that_everyone_uses(
    tmp_path, arguments, channels
):
    network, fits = only(tmp_path, "register(Small)", small(arguments, channels))
    assert fits == [*GREY_SETS, "cifar-10"]
    model = network.build(ImageSpec(2, 28, 5))
    assert (model.conv.in_channels, model.linear.out_features) == (2, 5)
    assert not network.repeats_grey(GREY)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("img_size=224", 32), ("image_size=(224, 224)", (32, 32)), ("image_size", 32)],
)
def test_the_size_is_given_by_name_as_a_number_or_a_pair(tmp_path, argument, expected):
    name = argument.partition("=")[0]
    code = small(f"num_classes, {argument}", building=f"self.size = {name}")
    network, _ = only(tmp_path, "register(Small)", code)
    assert network.build(COLOUR).size == expected
    assert network.options == ()


def test_a_class_that_takes_nothing_is_offered_for_the_data_sets_that_it_fits(tmp_path):
    network, fits = only(tmp_path, "register(Net)", NET)
    assert fits == OF_28_PIXELS
    assert (network.images, network.options) == (GREY, ())
    assert network.description == "The tutorial's network."


@pytest.mark.parametrize(
    "argument", ["images: ImageSpec, width: int = 8", "images, width: int = 8"]
)
def test_a_function_is_an_architecture(tmp_path, argument):
    code = f'''
        def make_net({argument}):
            """Flattens."""
            size = images.channels * images.size**2
            last = nn.Linear(width, images.num_classes)
            return nn.Sequential(nn.Flatten(), nn.Linear(size, width), last)
        '''
    network, fits = only(tmp_path, "register(make_net)", code)
    assert (network.name, network.summary) == ("make-net", "Flattens.")
    assert fits == [*GREY_SETS, "cifar-10"]
    assert network.build(GREY, {"width": 3})[1].out_features == 3


def test_the_images_may_be_any_argument(tmp_path):
    code = small("width: int = 8, *, data: ImageSpec", "data.channels", "data.num_classes")
    network, _ = only(tmp_path, "register(Small)", code)
    assert [option.name for option in network.options] == ["width"]
    assert network.build(ImageSpec(2, 28, 5)).conv.in_channels == 2


@pytest.mark.parametrize(
    "registered",
    [
        "register(functools.partial(Small, width=5))",
        "register(functools.partial(functools.partial(Small, 5), num_classes=10))",
        'register(Small, fixed={"width": 5})',
    ],
)
def test_what_is_fixed_is_always_given_and_is_no_option(tmp_path, registered):
    code = small("width, num_classes, depth=2", building="self.width = width, depth")
    network, _ = only(tmp_path, registered, code)
    assert network.name == "small"
    assert [option.name for option in network.options] == ["depth"]
    assert network.build(COLOUR, {"depth": 3}).width == (5, 3)


def test_a_network_may_have_its_classes_fixed(tmp_path):
    code = small("num_classes", "1")
    _, fits = only(tmp_path, 'register(Small, fixed={"num_classes": 10})', code)
    assert fits == GREY_SETS


def test_classes_are_given_through_keyword_arguments_that_take_them(tmp_path):
    code = small("num_classes=1000") + "\ndef make(depth=3, **kwargs): return Small(**kwargs)"
    network, _ = only(tmp_path, "register(make)", code)
    assert network.build(ImageSpec(3, 32, 7)).linear.out_features == 7
    assert [option.name for option in network.options] == ["depth"]


@pytest.mark.parametrize("given", ["**kwargs", "num_classes=10, **kwargs"])
def test_classes_are_left_out_where_keyword_arguments_do_not_take_them(tmp_path, given):
    arguments = "num_classes" if "num" in given else ""
    code = small(arguments, classes="10") + f"\ndef make(**kwargs): return Small({given})"
    network, _ = only(tmp_path, "register(make)", code)
    assert network.build(COLOUR).linear.out_features == 10


def test_an_error_within_a_constructor_is_not_taken_for_one_of_its_arguments(tmp_path):
    code = "def make(**kwargs): return 1 + 'one'"
    assert "It raised TypeError, line " in refusal(tmp_path, "register(make)", code)


def test_what_has_no_widget_keeps_its_default(tmp_path):
    arguments = (
        'num_classes, width: int = 4, share=0.5, bias=True, act="relu", norm=None, b: int = None'
    )
    network, _ = only(tmp_path, "register(Small)", small(arguments))
    assert [(o.name, o.type) for o in network.options] == [
        ("width", int),
        ("share", float),
        ("bias", bool),
    ]
    assert network.constructor.kept == ("act", "norm", "b")


def test_annotations_of_another_that_cannot_be_read_do_without(tmp_path):
    network, _ = only(tmp_path, "register(Small)", small('num_classes, width: "Absent" = 4'))
    assert [(option.name, option.type) for option in network.options] == [("width", int)]


# --- what is refused


@pytest.mark.parametrize(
    ("registered", "code", "sentence"),
    [
        (
            "register(Small)",
            small("num_classes, depth"),
            "Small (line 12): The argument depth of Small has no default, and the explorer does "
            "not know its value; give it a default, or register(Small, fixed={'depth': …}).",
        ),
        (
            'register(Small, fixed={"dept": 3})',
            small("num_classes, depth"),
            "Small (line 12): Fixed names 'dept', which is no argument of Small; did you mean "
            "'depth'?",
        ),
        (
            "from torchvision.models import vgg11; register(vgg11, fixed=dict(weigths=None))",
            "",
            "vgg11 (line 9): Fixed names 'weigths', which is no argument of vgg11; did you mean "
            "'weights'?",
        ),
        (
            "register(Net, fixed=[3])",
            NET,
            "Net (line 12): Fixed must be a dictionary from names of arguments to values, not [3].",
        ),
        (
            "register(lambda: Net())",
            NET,
            "Line 9: A function without a name needs one: register(f, name=…).",
        ),
        (
            "register(Net())",
            NET,
            "Line 9: The function register takes a torch.nn.Module class or a function that "
            "returns a network, not a network, Net(…).",
        ),
        (
            "register(int)",
            "",
            "int (line 9): The function register takes a torch.nn.Module class or a function that "
            "returns a network, not <class 'int'>.",
        ),
        (
            "register(make)",
            "def make(num_classes): return num_classes",
            "make (line 11): It returns int where a torch.nn.Module is expected.",
        ),
        (
            "register(Small)",
            small("", classes="7"),
            "Small (line 12): It answers two images with (2, 7) where (2, num_classes) = (2, 10) "
            "is expected; give its constructor an argument num_classes, which is the number of its "
            "logits.",
        ),
        (
            "register(Small)",
            small("num_classes", building="self.requires_grad_(False)"),
            "Small (line 12): It cannot be trained: no parameter that requires a gradient has a "
            "share in its answer.",
        ),
        (
            "register(Small)",
            small("num_classes", running="assert not self.training, 'not yet'"),
            "Small (line 12): It raised AssertionError, line 22: not yet.",
        ),
        (
            "register(Small)",
            small("num_classes", building="self.conv.children = nn.ModuleList()"),
            "Small (line 12): Conv2d keeps something of its own as self.children, which is a "
            "method of torch.nn.Module; give it another name.",
        ),
        (
            "register(Small)",
            small("num_classes", building="self.train = True"),
            "Small (line 12): Small keeps something of its own as self.train, which is a method of "
            "torch.nn.Module; give it another name.",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_name_its_line_and_the_cure(
    tmp_path, registered, code, sentence
):
    assert refusal(tmp_path, registered, code) == sentence


def test_an_attribute_that_hides_nothing_that_is_called_may_have_its_name(tmp_path):
    only(tmp_path, "register(Small)", small("num_classes", building="self.type = 'small'"))


def test_a_refused_class_takes_no_other_of_its_file_down(tmp_path):
    code = NET + small("num_classes, depth") + "\nclass Third(Net): pass"
    registry = offered(
        tmp_path, "register(Small); register(Net); register(7); register(Third)", code
    )
    assert {"net", "third"} <= set(registry.architectures)
    assert [broken.name for broken in registry.broken] == ["Small", ""]


def test_a_hook_that_raises_leaves_what_it_registered_before(tmp_path):
    registry = offered(tmp_path, "register(Net); 1 / 0", NET)
    assert "net" in registry.architectures
    (broken,) = registry.broken
    assert broken.reason == "It raised ZeroDivisionError, line 9: division by zero."


def test_check_and_list_name_what_is_refused_beside_what_works(tmp_path, monkeypatch):
    offered(tmp_path, "register(Small); register(Net)", NET + small("num_classes, depth"))
    monkeypatch.setenv("EXPLORER_PLUGINS", str(tmp_path))
    done = CliRunner().invoke(app, ["list"])
    assert any(line.startswith("net ") for line in done.stdout.splitlines())
    assert "own.py: Small (line " in done.stderr
    done = CliRunner().invoke(app, ["check", str(tmp_path / "own.py"), "--json"])
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert [report["name"] for report in found["reports"]] == ["net"]
    assert [broken["name"] for broken in found["broken"]] == ["Small"]


# --- grey images for a network that takes colour


def test_a_network_for_colour_is_given_the_grey_in_each_channel(tmp_path, mnist):
    network, fits = only(tmp_path, "register(Small)", small("num_classes"))
    assert fits == [*GREY_SETS, "cifar-10"]
    assert network.repeats_grey(GREY)
    data = mnist.seen_as(network.sees(mnist.spec))
    assert data.spec == ImageSpec(3, 28, 10)
    assert steps(network.build(data.spec), data)


def test_a_network_for_two_channels_is_not_offered_grey_images(tmp_path):
    registry = offered(tmp_path, "register(Small)", small("num_classes", "2"))
    (broken,) = registry.broken
    assert broken.name == "Small"


def test_a_network_for_grey_images_sees_them_as_they_are(tmp_path):
    network, _ = only(tmp_path, "register(Net)", NET)
    assert network.sees(GREY) == GREY
    assert network.sees(COLOUR) == COLOUR
    assert network.misfit(COLOUR)


def test_a_network_for_32_pixels_is_offered_there_only(tmp_path):
    code = NET.replace("Conv2d(1, 6", "Conv2d(3, 6").replace("24 * 24", "28 * 28")
    network, fits = only(tmp_path, "register(Net)", code)
    assert (network.images, fits) == (COLOUR, ["cifar-10"])


def test_list_says_whose_grey_is_repeated(tmp_path, monkeypatch):
    offered(tmp_path, "register(Small)", small("num_classes"))
    monkeypatch.setenv("EXPLORER_PLUGINS", str(tmp_path))
    lines = CliRunner().invoke(app, ["list"]).stdout.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("small "))
    assert lines[first + 1].strip() == (
        f"takes colour images; of {', '.join(GREY_SETS)} it is given the grey in each channel"
    )
    told = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    repeated = {each["name"]: each["grey_in_each_channel"] for each in told}
    assert (repeated["small"], repeated["plain"]) == (GREY_SETS, [])


# --- what is built


LAZY = """
    class Lazy(nn.Sequential):
        def __init__(self, num_classes):
            super().__init__(
                nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Dropout(), nn.Flatten(),
                nn.LazyLinear(num_classes),
            )
            self[1].eval()
    """


def test_lazy_layers_have_their_shapes_when_a_network_is_built(tmp_path):
    network, fits = only(tmp_path, "register(Lazy)", LAZY)
    assert fits == [*GREY_SETS, "cifar-10"]
    model = network.build(COLOUR)
    assert model[0].weight.shape == (4, 3, 3, 3)
    assert model[4].in_features == 4 * 30 * 30
    assert [module.training for module in model] == [True, False, True, True, True]
    assert model[1].num_batches_tracked == 0
    assert model[0].weight.requires_grad


def test_equal_seeds_give_equal_lazy_networks(tmp_path):
    network, _ = only(tmp_path, "register(Lazy)", LAZY)
    built = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        built.append(network.build(GREY)[0].weight)
    assert torch.equal(built[0], built[1])
    assert not torch.equal(built[0], built[2])


def test_a_network_that_prints_does_not_spoil_json(tmp_path, monkeypatch):
    code = NET.replace("super().__init__()", "super().__init__(); print('building')").replace(
        "return", "print('running'); return"
    )
    offered(tmp_path, "register(Net)", code)
    monkeypatch.setenv("EXPLORER_PLUGINS", str(tmp_path))
    words = ["train", "net", "--epochs", "1", "--train-size", "64", "--json"]
    for command in (["list", "--json"], words):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.stderr
        # What is loaded for a list prints in another process, to which nobody listens.
        assert ("building" in done.stderr) == (command is words)
        assert "building" not in done.stdout
        assert "running" not in done.stdout
    run = json.loads(done.stdout.splitlines()[-1])["run"]
    done = CliRunner().invoke(app, ["inspect", run, "--test-images", "20", "--json"])
    assert json.loads(done.stdout)["run"] == run


# --- what a network returns


def test_the_first_tensor_is_found_in_what_networks_return():
    import dataclasses

    one, two = torch.zeros(1), torch.ones(1)

    @dataclasses.dataclass
    class Output:
        loss: object
        logits: object

    for returned in (
        (one, two),
        [None, one, [two]],
        {"out": one, "aux": two},
        Output(None, (one, two)),
    ):
        assert first_output(returned) is one
    assert list(tensors_in((one, {"aux": two}))) == [one, two]
    assert first_output(one) is one
    with pytest.raises(OutputError, match="The network returns list without a tensor"):
        first_output([1, 2])


def test_the_loss_is_that_of_the_first_output(tmp_path, mnist):
    both = "return (y, self.other(x.mean((2, 3)))) if self.training else y"
    code = small("num_classes", "1", building="self.other = nn.Linear(1, num_classes)").replace(
        "return self.linear(self.conv(x).mean((2, 3)))",
        f"y = self.linear(self.conv(x).mean((2, 3))); {both}",
    )
    network, _ = only(tmp_path, "register(Small)", code)
    model = network.build(GREY)
    before = model.other.weight.clone()
    assert all(map(torch.isfinite, map(torch.tensor, steps(model, mnist))))
    assert model.other.weight.grad is None
    assert torch.equal(model.other.weight, before)
    assert isinstance(model, nn.Module)
