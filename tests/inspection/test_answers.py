import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from inspection.trees import Breaks, property_test, unchanged
from torch import nn

from explorer.data.loader import Split
from explorer.inspection.answers import answers
from explorer.inspection.scores import Answers
from explorer.runs.recorded import ARCHITECTURES
from explorer.training.loop import evaluate


@st.composite
def predictions(draw):
    """Answers to a few images; few different logits, so that some are equally sure."""
    classes = draw(st.integers(2, 5))
    logits = st.lists(st.integers(-2, 2), min_size=classes, max_size=classes)
    rows = draw(st.lists(logits, min_size=1, max_size=20))
    labels = [draw(st.integers(0, classes - 1)) for _ in rows]
    return Answers(torch.tensor(rows).float().log_softmax(1).numpy(), np.array(labels))


def split(length=12):
    images = torch.randint(0, 256, (length, 1, 4, 4), dtype=torch.uint8)
    channels = torch.full((1, 1, 1), 0.4), torch.full((1, 1, 1), 0.25)
    return Split(images, torch.arange(length) % 3, *channels)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_accuracy_and_loss_are_those_of_evaluation(name, example, digits):
    model = example(name)
    found = answers(model, digits)
    loss, accuracy = evaluate(model, digits)
    assert found.accuracy == pytest.approx(accuracy, abs=1e-12)
    assert found.loss == pytest.approx(loss, rel=1e-5)
    assert 0.95 < found.accuracy < 1


def test_each_image_gets_its_own_answer_across_the_batches(example, digits):
    model = example("plain")
    found = answers(model, digits)
    assert np.array_equal(found.labels, digits.labels)
    for number in (0, 249, 250, 500, 600):
        image = digits.normalise(digits.images[number : number + 1])
        with torch.no_grad():
            probabilities = model(image).double().softmax(1)[0]
        own = torch.from_numpy(found.log_probabilities[number])
        torch.testing.assert_close(own.double().exp(), probabilities, rtol=1e-4, atol=1e-6)


@given(predictions())
@property_test
def test_each_answer_is_the_likeliest_class_with_its_probability(found):
    rows = found.log_probabilities.tolist()
    assert found.num_classes == len(rows[0])
    assert found.predicted.tolist() == [row.index(max(row)) for row in rows]
    assert found.confidence.tolist() == pytest.approx([math.exp(max(row)) for row in rows])
    right = [row.index(max(row)) == label for row, label in zip(rows, found.labels, strict=True)]
    assert found.correct.tolist() == right
    assert found.accuracy == pytest.approx(sum(right) / len(right))
    losses = [-row[label] for row, label in zip(rows, found.labels, strict=True)]
    assert found.loss == pytest.approx(sum(losses) / len(losses), rel=1e-6)


@given(predictions())
@property_test
def test_the_confusion_counts_what_was_given_for_what(found):
    pairs = list(zip(found.labels.tolist(), found.predicted.tolist(), strict=True))
    classes = range(found.num_classes)
    assert found.confusion.tolist() == [[pairs.count((a, b)) for b in classes] for a in classes]
    for label, share in zip(classes, found.accuracy_by_class, strict=True):
        own = [given == label for truth, given in pairs if truth == label]
        assert share == pytest.approx(sum(own) / len(own) if own else math.nan, nan_ok=True)


@given(predictions())
@property_test
def test_mistakes_come_surest_first_doubts_come_surest_last_and_equals_in_their_order(found):
    sure, right = found.confidence.tolist(), found.correct.tolist()
    numbers = range(len(sure))
    wrong = [number for number in numbers if not right[number]]
    assert found.mistakes() == sorted(wrong, key=lambda number: -sure[number])
    assert found.doubts() == sorted(numbers, key=lambda number: sure[number])


@given(predictions())
@property_test
def test_the_images_of_all_cells_of_the_confusion_are_all_images_each_in_its_cell(found):
    sure, classes = found.confidence.tolist(), range(found.num_classes)
    cells = {(i, j): found.images_of(i, j) for i in classes for j in classes}
    assert {cell: len(images) for cell, images in cells.items()} == {
        (i, j): found.confusion[i, j] for i, j in cells
    }
    assert sorted(n for images in cells.values() for n in images) == list(range(len(sure)))
    for (i, j), images in cells.items():
        assert images == sorted(images, key=lambda n: sure[n] if i == j else -sure[n])


def test_answers_are_arrays_in_single_precision():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).to(torch.bfloat16)

    class Half(nn.Module):
        def forward(self, x):
            return model(x.to(torch.bfloat16))

    found = answers(Half(), split())
    assert type(found.log_probabilities) is type(found.labels) is np.ndarray
    assert found.log_probabilities.dtype == found.confidence.dtype == np.float32
    assert found.labels.dtype == found.predicted.dtype == found.confusion.dtype == np.int64
    assert np.exp(found.log_probabilities).sum(1).tolist() == pytest.approx([1] * 12, abs=1e-5)


def test_answering_leaves_the_network_unchanged_even_after_an_exception():
    layers = [nn.BatchNorm2d(1), nn.Dropout(), nn.Flatten(), nn.Linear(16, 3)]
    images = split()
    for model in (nn.Sequential(*layers), Breaks(*layers)):
        model.train()[1].eval()
        with unchanged(model):
            if isinstance(model, Breaks):
                with pytest.raises(RuntimeError, match="on purpose"):
                    answers(model, images)
            else:
                first, second = answers(model, images), answers(model, images)
                assert np.array_equal(first.log_probabilities, second.log_probabilities)
