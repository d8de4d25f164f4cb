"""A small drawing of each word of the glossary."""

from collections.abc import Callable, Mapping

from explorer.charts.glossary import answers, blocks, layers, training, units
from explorer.charts.glossary.pen import svg

_DRAWINGS: tuple[Callable[[], str], ...] = (
    blocks.residual,
    blocks.skip,
    blocks.branch,
    layers.convolution,
    layers.kernel,
    layers.filter_,
    units.feature_map,
    units.channel,
    layers.receptive_field,
    units.batch_norm,
    training.learning_rate,
    blocks.ablation,
    units.activation,
    units.relu,
    layers.pooling,
    layers.stride,
    layers.padding,
    layers.one_by_one,
    answers.logit,
    answers.softmax,
    answers.cross_entropy,
    training.epoch,
    training.step,
    training.batch,
    training.gradient,
    answers.attribution,
    answers.confusion_matrix,
    units.dead_filter,
    training.parameters,
    layers.multiply_adds,
    blocks.shares,
)
# By the names of the words, which are those of the functions.
FIGURES: Mapping[str, Callable[[], str]] = {
    draw.__name__.rstrip("_").replace("_", "-"): draw for draw in _DRAWINGS
}


def glossary_svg(name: str, label: str) -> str:
    """Draw a word of the glossary, as an SVG element in the reader's language.

    Args:
        name: Of the word in the glossary, one of `FIGURES`.
        label: The word, said.
    """
    return svg(FIGURES[name](), label)
