"""Answers: what a network says to each image of a split, and what can be read off them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.data.loader import Split, evaluation_batch
from explorer.inspection.tracing import evaluating


@dataclass(frozen=True, slots=True)
class Answers:
    """A network's answers to all images of a split, on the CPU.

    Attributes:
        log_probabilities: Of each class, in nats, `float32`, `(N, num_classes)`.
        labels: The right classes, `int64`, `(N,)`.
    """

    log_probabilities: Tensor
    labels: Tensor

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return self.log_probabilities.shape[1]

    @property
    def predicted(self) -> Tensor:
        """The classes that the network gave, `(N,)`."""
        return self.log_probabilities.argmax(dim=1)

    @property
    def confidence(self) -> Tensor:
        """The probability of the class that was given, 0–1, `(N,)`."""
        return self.log_probabilities.amax(dim=1).exp()

    @property
    def correct(self) -> Tensor:
        """Whether each answer is right, `(N,)`."""
        return self.predicted == self.labels

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0–1."""
        return self.correct.double().mean().item()

    @property
    def loss(self) -> float:
        """The mean cross-entropy, in nats."""
        return -self.log_probabilities.gather(1, self.labels[:, None]).double().mean().item()

    @property
    def accuracy_by_class(self) -> list[float]:
        """The share of right answers for the images of each class; NaN for a class without any."""
        confusion = self.confusion
        shares: list[float] = (confusion.diagonal() / confusion.sum(dim=1)).tolist()
        return shares

    @property
    def confusion(self) -> Tensor:
        """How many images of a class (row) were given which class (column)."""
        cells = self.labels * self.num_classes + self.predicted
        return cells.bincount(minlength=self.num_classes**2).view(
            self.num_classes, self.num_classes
        )

    def mistakes(self) -> list[int]:
        """The numbers of the images that were told wrong, the most confident mistake first."""
        wrong = (~self.correct).nonzero().flatten()
        order = self.confidence[wrong].argsort(descending=True, stable=True)
        return list(map(int, wrong[order]))

    def doubts(self) -> list[int]:
        """The numbers of all images, the one that the network is least sure of first."""
        return list(map(int, self.confidence.argsort(stable=True)))


@torch.inference_mode()
def answers(model: nn.Module, split: Split) -> Answers:
    """Let `model` answer all images of `split`, in evaluation mode; it is left as it was."""
    with evaluating(model):
        logits = torch.cat(
            [model(images) for images, _ in split.batches(evaluation_batch(split.device))]
        )
    return Answers(logits.float().log_softmax(dim=1).cpu(), split.labels.cpu())
