"""Answers: a network's predictions for all images of a split, and the scores that follow."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.data.loader import Split, evaluation_batch
from explorer.modes import evaluating
from explorer.outputs import first_output


@dataclass(frozen=True, slots=True)
class Answers:
    """A network's predictions for all images of a split, on the CPU.

    Attributes:
        log_probabilities: The log-probability of each class, in nats, `float32`,
            `(N, num_classes)`.
        labels: The true classes, `int64`, `(N,)`.
    """

    log_probabilities: Tensor
    labels: Tensor

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return self.log_probabilities.shape[1]

    @property
    def predicted(self) -> Tensor:
        """The predicted classes, `int64`, `(N,)`."""
        return self.log_probabilities.argmax(dim=1)

    @property
    def confidence(self) -> Tensor:
        """The probability of the predicted class, 0–1, `(N,)`."""
        return self.log_probabilities.amax(dim=1).exp()

    @property
    def correct(self) -> Tensor:
        """Whether each prediction is correct, `(N,)`."""
        return self.predicted == self.labels

    @property
    def accuracy(self) -> float:
        """The fraction of correct predictions, 0–1."""
        return self.correct.double().mean().item()

    @property
    def loss(self) -> float:
        """The mean cross-entropy, in nats."""
        return -self.log_probabilities.gather(1, self.labels[:, None]).double().mean().item()

    @property
    def accuracy_by_class(self) -> list[float]:
        """The accuracy on the images of each class, 0–1; NaN for a class without images."""
        confusion = self.confusion
        accuracies: list[float] = (confusion.diagonal() / confusion.sum(dim=1)).tolist()
        return accuracies

    @property
    def confusion(self) -> Tensor:
        """The confusion matrix: the images of each class (row), counted by prediction (column)."""
        cells = self.labels * self.num_classes + self.predicted
        return cells.bincount(minlength=self.num_classes**2).view(
            self.num_classes, self.num_classes
        )

    def mistakes(self) -> list[int]:
        """Return the indices of the images classified incorrectly, the most confident first."""
        wrong = (~self.correct).nonzero().flatten()
        order = self.confidence[wrong].argsort(descending=True, stable=True)
        return list(map(int, wrong[order]))

    def doubts(self) -> list[int]:
        """Return the indices of all images, the one with the least confident prediction first."""
        return list(map(int, self.confidence.argsort(stable=True)))


@torch.no_grad()
def answers(model: nn.Module, split: Split) -> Answers:
    """Predict all images of `split` in evaluation mode; the model is unchanged afterwards."""
    with evaluating(model):
        logits = torch.cat(
            [
                first_output(model(images))
                for images, _ in split.batches(evaluation_batch(split.device))
            ]
        )
    return Answers(logits.float().log_softmax(dim=1).cpu(), split.labels.cpu())
