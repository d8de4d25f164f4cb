"""Answers: a network's predictions for all images of a split."""

import torch
from torch import nn

from explorer.data.loader import Split, evaluation_batch
from explorer.inspection.scores import Answers
from explorer.modes import evaluating
from explorer.outputs import first_output


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
    log_probabilities = logits.float().log_softmax(dim=1)
    return Answers(log_probabilities.cpu().numpy(), split.labels.cpu().numpy())
