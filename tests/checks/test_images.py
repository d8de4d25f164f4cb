from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from built_ins import REGISTRY

from explorer import DataSet, ImageSpec
from explorer.checks import images
from explorer.data.cache import DataError, train_size
from explorer.data.mnist import MNIST


def toy(**changes):
    """A data set without faults except for what is changed."""
    generator = np.random.default_rng(0)
    arrays = {
        "train": generator.integers(0, 256, (40, 4, 4), np.uint8),
        "train_labels": np.arange(40) % 2,
        "test": generator.integers(0, 256, (20, 4, 4), np.uint8),
        "test_labels": np.arange(20) % 2,
    }
    for name, change in changes.items():
        if name in arrays:
            arrays[name] = change(arrays[name])
    facts = {name: value for name, value in changes.items() if name not in arrays}
    return DataSet(
        name=facts.pop("name", "toy"),
        images=ImageSpec(1, 4, 2),
        classes=("left", "right"),
        read=lambda _: list(arrays.values()),
        location=Path(__file__),
        **facts,
    )


def test_a_good_data_set_gets_only_ok(tmp_path):
    report = images.examine(toy(), tmp_path)
    assert {f.verdict for f in report.findings} == {"ok"}
    assert [*dict.fromkeys(f.check for f in report.findings)] == list(images.CHECKS)
    assert report.facts["training_images"] == 40
    assert [f.text for f in report.findings if f.check == "classes"] == [
        "Each class has 20 training images.",
        "Each class has 10 test images.",
    ]
    assert report.to_json()["kind"] == "data set"


@pytest.mark.parametrize(
    ("wrong", "check", "verdict", "sentence"),
    [
        ({"train": lambda a: a / 255}, "reads", "error", "float64 and its test images uint8; give"),
        ({"notes": ["3 pictures are damaged."]}, "files", "note", "3 pictures are damaged."),
        (
            {"train": lambda a: a // 255},
            "pixels",
            "error",
            "All its pixels are 0 or 1 of 255: mul",
        ),
        ({"mean": (0.1,)}, "pixels", "note", "declare these, or none to have them measured"),
        ({"std": (0.9,)}, "pixels", "note", "declare these, or none"),
        ({"test_labels": lambda a: a * 0}, "classes", "note", "There is no test image of right."),
        (
            {"train_labels": lambda a: [*(a * 0).tolist()[:-1], 1]},
            "classes",
            "note",
            "There are 39 training images of left and 1 of right, so accuracy is mostly",
        ),
    ],
)
def test_what_is_wrong_is_reported(tmp_path, wrong, check, verdict, sentence):
    found = [f for f in images.examine(toy(**wrong), tmp_path).findings if f.verdict != "ok"]
    assert (found[0].check, found[0].verdict) == (check, verdict)
    assert sentence in found[0].text
    assert "test_images.py:" in found[0].place


def test_test_images_that_are_training_images_too_are_counted(tmp_path):
    known = toy()
    train = known.read(None)[0]
    found = images.examine(toy(test=lambda _: train[:20]), tmp_path).findings[-1]
    assert (found.check, found.verdict) == ("overlap", "note")
    assert found.text.startswith("20 of 20 test images are training images too")


def test_few_test_images_are_said_to_be_few(tmp_path):
    few = {"test": lambda a: a[:4], "test_labels": lambda a: a[:4]}
    said = [f.text for f in images.examine(toy(**few), tmp_path).findings if f.verdict == "note"]
    expected = "There are only 4 test images, so each of them is 25 % of the test accuracy."
    assert said == [expected]


def test_a_channel_that_is_the_same_everywhere_is_named(tmp_path):
    def with_constant(size):
        made = np.random.default_rng(size).integers(0, 256, (size, 4, 4, 3), np.uint8)
        made[..., 1] = 7
        return made

    labels = np.arange(40) % 2
    read = lambda _: [with_constant(40), labels, with_constant(20), labels[:20]]  # noqa: E731
    coloured = replace(toy(), images=ImageSpec(3, 4, 2), read=read)
    said = [f.text for f in images.examine(coloured, tmp_path).findings if f.verdict == "note"]
    assert said == [
        "Channel 2 of 3 has one value in all training images, of which nothing can be learned."
    ]
    grey = toy(train=lambda a: a * 0 + 9)
    [first, *_] = [f.text for f in images.examine(grey, tmp_path).findings if f.verdict == "note"]
    assert first.startswith("Every pixel has one value in all training images")


def test_remarks_are_what_the_checks_find_and_fill_the_cache(tmp_path):
    wrong = toy(test_labels=lambda a: a * 0, notes=["3 pictures are damaged."])
    assert images.remarks(wrong, tmp_path) == (
        "3 pictures are damaged.",
        "There is no test image of right.",
    )
    assert train_size(wrong, tmp_path) == 40
    assert images.remarks(toy(name="sound"), tmp_path) == ()
    with pytest.raises(DataError, match=r"^toy could not be read: .* float64 and its test"):
        images.remarks(toy(train=lambda a: a / 255, version="2"), tmp_path)


def test_mnist_passes_all_checks(tmp_path):
    report = images.examine(REGISTRY.dataset(MNIST.name), tmp_path)
    assert report.passed
    assert {f.verdict for f in report.findings} == {"ok"}


def test_a_data_set_is_downloaded_once_for_all_its_checks(tmp_path):
    fetched = []
    known = toy(url="https://example.org")
    kept = replace(known, read=lambda folder: fetched.append(folder) or known.read(folder))
    for _ in range(2):
        assert images.examine(kept, tmp_path).passed
    assert len(fetched) == 1
