"""A catalogue says all that is known of plugins without any of their code."""

import io
import json
import pickle
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from torch import nn

from explorer import ImageSpec
from explorer.data.dataset import UnknownDataSetError
from explorer.engines.plain import read_plain
from explorer.plugin.architecture import Architecture
from explorer.plugin.catalogue import (
    BrokenPlugin,
    Catalogue,
    Description,
    Meddling,
    UnknownArchitectureError,
)
from explorer.plugin.options import OptionError
from explorer.plugin.registry import Loading, discover, load
from explorer.plugin.sources import from_target, in_folders
from explorer.runs.run import spec_of
from explorer.training.recipe import Recipe

ROOT = Path(__file__).parents[2]

OWN = '''
from typing import Literal

import numpy as np
from torch import nn

from explorer import DataSet, ImageSpec, Range, hookimpl


@hookimpl
def register_architectures(register):
    register(Own)


@hookimpl
def register_datasets(register):
    classes = ("along", "across")
    register(DataSet(name="stripes", images=ImageSpec(1, 4, 2), classes=classes, read=read))


class Own(nn.Sequential):
    """Of the author.

    In two paragraphs.
    """

    def __init__(self, images, width: int = 4, norm: Literal["batch", "none"] = "none"):
        pixels = images.channels * images.size**2
        linear = nn.Linear(width, images.num_classes)
        super().__init__(nn.Flatten(), nn.Linear(pixels, width), linear)


def read(folder):
    images = np.zeros((4, 1, 4, 4), np.uint8)
    return images, np.arange(4) % 2, images, np.arange(4) % 2
'''


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "own.py").write_text(OWN)
    (folder / "ruin.py").write_text("import torch\ntorch.set_grad_enabled(False)\n1 / 0\n")
    return discover([folder])


def described(registry):
    """Return what the server has of a registry."""
    return Catalogue(
        {name: each.described() for name, each in registry.architectures.items()},
        {name: each.described() for name, each in registry.datasets.items()},
        registry.broken,
        registry.meddling,
    )


def referred_to(message: bytes) -> set[str]:
    """The modules of all that a pickle names."""
    found = set()

    class Names(pickle.Unpickler):
        def find_class(self, module, name):
            found.add(module)
            return super().find_class(module, name)

    Names(io.BytesIO(message)).load()
    return found


def test_a_description_is_all_of_an_architecture_but_its_code(own):
    assert len(own.architectures) > 10
    for name, architecture in own.architectures.items():
        found = architecture.described()
        assert type(found) is Description
        assert isinstance(architecture, Architecture)
        assert not hasattr(found, "constructor")
        assert not hasattr(found, "build")
        for each in fields(Description):
            assert getattr(found, each.name) == getattr(architecture, each.name)
        assert found.name == name
        assert (found.origin, found.location, found.summary) == (
            *(architecture.origin, architecture.location, architecture.summary),
        )
        assert found.described() == found
        assert found != architecture
        assert hash(found.images) == hash(architecture.images)


def test_what_an_author_wrote_is_in_the_description(own, tmp_path):
    found = own["own"].described()
    assert found.summary == "Of the author."
    assert found.description == "Of the author.\n\nIn two paragraphs."
    assert Path(found.file).name == "own.py"
    assert found.images == ImageSpec(1, 28, 10)
    assert found.parameters == 785 * 4 + 5 * 10
    assert [option.name for option in found.options] == ["width", "norm"]
    assert found.options == own["own"].constructor.options


def test_a_description_checks_options_as_the_architecture_does(own):
    here, there = own["residual-bn"], own["residual-bn"].described()
    assert there.complete({}) == here.complete({})
    assert there.complete({"width": 24}) == here.complete({"width": 24})
    for values in ({"width": 65}, {"width": "wide"}, {"wdith": 8}):
        with pytest.raises(OptionError) as wanted:
            here.complete(values)
        with pytest.raises(OptionError) as found:
            there.complete(values)
        assert str(found.value) == str(wanted.value)
        assert str(found.value).startswith("residual-bn: ")


def test_a_catalogue_can_be_sent_and_names_no_code_of_a_plugin(own):
    catalogue = described(own)
    message = pickle.dumps(catalogue, pickle.HIGHEST_PROTOCOL)
    assert read_plain(message) == catalogue == pickle.loads(message)
    modules = referred_to(message)
    assert "explorer.plugin.catalogue" in modules
    assert not [m for m in modules if "explorer_plugin_" in m or m.partition(".")[0] == "torch"]
    assert "own" not in " ".join(modules)
    assert read_plain(message)["own"].options == own["own"].options


READS = """
import json, sys
from explorer.engines.plain import read_plain

catalogue = read_plain(sys.stdin.buffer.read())
found = {name: each.parameters for name, each in catalogue.architectures.items()}
assert catalogue["own"].complete({"norm": "batch"}) == {"width": 4, "norm": "batch"}
loaded = {"torch", "torchvision"} & {name.partition(".")[0] for name in sys.modules}
plugins = [name for name in sys.modules if name.startswith("explorer_plugin")]
print(json.dumps([found, list(catalogue.datasets), sorted(loaded), plugins]))
"""


def test_a_process_that_has_no_code_reads_a_catalogue(own):
    done = subprocess.run(
        [sys.executable, "-c", READS],
        input=pickle.dumps(described(own)),
        capture_output=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr.decode()
    parameters = {name: each.parameters for name, each in own.architectures.items()}
    assert json.loads(done.stdout) == [parameters, list(own.datasets), [], []]


def test_a_data_set_is_described_without_the_code_that_reads_it(own):
    here, there = own.dataset("stripes"), own.dataset("stripes").described()
    assert there.read is not here.read
    assert replace(there, read=here.read) == here
    assert there == here  # two are the same whatever reads them
    with pytest.raises(NotImplementedError, match="another process has the code"):
        there.read(Path())
    assert pickle.loads(pickle.dumps(there)) == there
    assert there.described() == there


def test_a_catalogue_finds_what_is_there_and_says_what_there_is_instead(own):
    catalogue = described(own)
    assert catalogue["own"] == own["own"].described()
    assert catalogue.dataset("stripes") == own.dataset("stripes").described()
    with pytest.raises(UnknownArchitectureError, match=r"'residul'; did you mean 'residual'\?$"):
        catalogue["residul"]
    with pytest.raises(UnknownDataSetError, match=r"'stirpes'; did you mean 'stripes'\?$"):
        catalogue.dataset("stirpes")
    with pytest.raises(UnknownArchitectureError, match="There is no architecture 'own'"):
        Catalogue({}, {}, ())["own"]


def test_what_is_broken_and_what_was_changed_is_in_the_catalogue(own):
    catalogue = described(own)
    (broken,) = catalogue.broken
    assert isinstance(broken, BrokenPlugin)
    assert broken.source.name == "ruin"
    assert broken.reason == "It raised ZeroDivisionError, line 3: division by zero."
    assert catalogue.meddling == (Meddling(broken.source, ("torch's grad mode",)),)


# Whether a run's code and images are still those that are here.


@pytest.fixture(params=["with the code", "described"])
def catalogue(own, request):
    return own if request.param == "with the code" else described(own)


def test_a_spec_is_current_as_long_as_nothing_of_it_changed(catalogue):
    for architecture, dataset in (("own", "stripes"), ("own", "mnist"), ("plain", "mnist")):
        spec = spec_of(catalogue[architecture], {}, catalogue.dataset(dataset), Recipe())
        assert catalogue.is_current(spec)
        assert catalogue.is_current(replace(spec, options={"width": 7}, recipe=Recipe("sgd")))
        for changed in (
            {"fingerprint": "0" * 16},
            {"fingerprint": ""},
            {"architecture": "gone"},
            {"architecture": "residual"},  # whose code is another
            {"dataset": "gone"},
            {"dataset_version": "1999"},
        ):
            assert not catalogue.is_current(replace(spec, **changed)), changed


def test_a_spec_is_not_current_where_its_plugin_is_gone_or_another(own, catalogue, tmp_path):
    spec = spec_of(catalogue["own"], {}, catalogue.dataset("stripes"), Recipe())
    assert not Catalogue({}, {}, ()).is_current(spec)
    assert not discover().is_current(spec)
    assert not replace(catalogue, datasets={}).is_current(spec)
    assert not replace(catalogue, architectures={}).is_current(spec)
    same = tmp_path / "elsewhere.py"
    same.write_text(OWN)
    assert load([from_target(str(same))]).is_current(spec)  # wherever its file is
    same.write_text(OWN.replace("width: int = 4", "width: int = 5"))
    assert not load(in_folders([tmp_path])).is_current(spec)


def test_equal_architectures_are_equal_and_those_of_other_code_are_not(own, tmp_path):
    folder = own["own"].location.parent
    assert load([from_target(str(folder / "own.py"))])["own"].images == own["own"].images
    again = discover([folder])["own"]
    assert again.described() == own["own"].described()
    (tmp_path / "own.py").write_text(OWN + "\n# edited\n")
    assert discover([tmp_path])["own"].described() != own["own"].described()


def test_a_network_that_was_tried_before_is_not_tried_again(tmp_path):
    log = tmp_path / "log"
    log.write_text("")
    tells = f"open({str(log)!r}, 'a').write('tried '); pixels = images"
    (tmp_path / "own.py").write_text(OWN.replace("pixels = images", tells))
    (source,) = in_folders([tmp_path])
    first = Loading().add(source)["own"].described()
    assert log.read_text() == "tried "
    edited = replace(first, fingerprint="0" * 16)
    for known, times in (({"own": first}, 1), ({"own": edited}, 2), ({"other": first}, 3), ({}, 4)):
        found = Loading().add(source, known)
        assert found.broken == ()
        assert found["own"].described() == first
        assert log.read_text().count("tried") == times
    assert isinstance(found["own"].build(first.images), nn.Sequential)
