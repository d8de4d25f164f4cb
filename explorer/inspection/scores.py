"""A network's predictions for many images, and the scores that follow. No torch needed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Answers:
    """A network's predictions for all images of a split.

    Attributes:
        log_probabilities: The log-probability of each class, in nats, `float32`,
            `(N, num_classes)`.
        labels: The true classes, `int64`, `(N,)`.
    """

    log_probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return int(self.log_probabilities.shape[1])

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The predicted classes, `int64`, `(N,)`."""
        predicted: NDArray[np.int64] = self.log_probabilities.argmax(axis=1)
        return predicted

    @property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of the predicted class, 0–1, `(N,)`."""
        confidence: NDArray[np.float32] = np.exp(self.log_probabilities.max(axis=1))
        return confidence

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each prediction is correct, `(N,)`."""
        correct: NDArray[np.bool_] = self.predicted == self.labels
        return correct

    @property
    def accuracy(self) -> float:
        """The fraction of correct predictions, 0–1."""
        return float(self.correct.mean(dtype=np.float64))

    @property
    def loss(self) -> float:
        """The mean cross-entropy, in nats."""
        of_labels = self.log_probabilities[np.arange(len(self.labels)), self.labels]
        return -float(of_labels.mean(dtype=np.float64))

    @property
    def accuracy_by_class(self) -> list[float]:
        """The accuracy on the images of each class, 0–1; NaN for a class without images."""
        confusion = self.confusion
        with np.errstate(invalid="ignore"):
            accuracies: list[float] = (confusion.diagonal() / confusion.sum(axis=1)).tolist()
        return accuracies

    @property
    def confusion(self) -> NDArray[np.int64]:
        """The confusion matrix: the images of each class (row), counted by prediction (column)."""
        cells = np.bincount(
            self.labels * self.num_classes + self.predicted, minlength=self.num_classes**2
        )
        return cells.reshape(self.num_classes, self.num_classes)

    def mistakes(self) -> list[int]:
        """Return the indices of the images classified incorrectly, the most confident first."""
        wrong = np.flatnonzero(~self.correct)
        order = np.argsort(-self.confidence[wrong], kind="stable")
        return [int(number) for number in wrong[order]]

    def doubts(self) -> list[int]:
        """Return the indices of all images, the one with the least confident prediction first."""
        return [int(number) for number in np.argsort(self.confidence, kind="stable")]

    def images_of(self, label: int, predicted: int) -> list[int]:
        """Return the indices of the images of one class that are predicted as another.

        The most confident prediction is first; of those that are correct, the least confident.
        """
        found = np.flatnonzero((self.labels == label) & (self.predicted == predicted))
        sign = 1 if label == predicted else -1
        order = np.argsort(sign * self.confidence[found], kind="stable")
        return [int(number) for number in found[order]]
