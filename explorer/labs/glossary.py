"""The glossary: the words of the field that the pages use, each with two sentences and a figure."""

from dataclasses import dataclass

from explorer.language import later


@dataclass(frozen=True, slots=True)
class Entry:
    """A word of the field.

    Attributes:
        name: In the address, and of its figure: small letters, digits and hyphens.
        term: The word, to be said where it is shown.
        text: What it means, in two sentences, to be said as well.
        also: Other words for it, by which pages call it.
    """

    name: str
    term: str
    text: str
    also: tuple[str, ...] = ()


ENTRIES = (
    Entry(
        "residual",
        later("residual"),
        later(
            "What a block adds to its input: the output is x + F(x), and F(x) is the residual. A "
            "block that has nothing to correct only has to make its residual zero."
        ),
    ),
    Entry(
        "skip",
        later("skip connection"),
        later(
            "A connection that carries a block's input past the block's layers to its output, "
            "where it is added to what they computed, or concatenated with it. Gradients come "
            "back along it too, without passing through those layers."
        ),
        also=(later("skip"),),
    ),
    Entry(
        "branch",
        later("branch"),
        later(
            "One of the parallel ways through a block, from where it splits to where they are "
            "merged by a sum, a concatenation or a product. All branches of a block begin with "
            "the same tensor."
        ),
    ),
    Entry(
        "convolution",
        later("convolution"),
        later(
            "A layer that slides a window over its input and, at every place, sums the values in "
            "the window times the weights of a filter, plus a bias. The weights are the same at "
            "every place, so a pattern gets the same answer wherever it is in the image."
        ),
    ),
    Entry(
        "kernel",
        later("kernel"),
        later(
            "The small array of weights, such as 3×3 numbers, that a filter applies to one channel "
            "of its input. Its values are learned, and are the same at every place of the image."
        ),
    ),
    Entry(
        "filter",
        later("filter"),
        later(
            "The kernels that together compute one channel of a convolution's output: one kernel "
            "for each channel that they read, and one bias. A convolution has as many filters as "
            "its output has channels."
        ),
    ),
    Entry(
        "feature-map",
        later("feature map"),
        later(
            "One channel of a layer's output: a value for each place, arranged as an image. Its "
            "large values are where the filter of that channel answers most strongly."
        ),
    ),
    Entry(
        "channel",
        later("channel"),
        later(
            "One of the maps that make up an image or a layer's output: a grey image has one, a "
            "colour image has three, and a convolution gives one for each of its filters. The "
            "shape 16×28×28 means 16 channels of 28×28 values."
        ),
    ),
    Entry(
        "receptive-field",
        later("receptive field"),
        later(
            "The part of the image that can influence one unit of a feature map. It grows with "
            "every layer whose window is larger than one pixel, and faster after a stride or "
            "pooling."
        ),
    ),
    Entry(
        "batch-norm",
        later("batch normalisation"),
        later(
            "A layer that gives each channel mean 0 and variance 1 over a batch, and then applies "
            "a scale and a shift that are learned. In evaluation it uses running averages from the "
            "training in place of the mean and the variance of the batch."
        ),
    ),
    Entry(
        "learning-rate",
        later("learning rate"),
        later(
            "The factor that decides how far the parameters move in a step, for a gradient of a "
            "given size. If it is too large, the loss jumps or grows; if it is too small, the "
            "training takes long."
        ),
    ),
    Entry(
        "ablation",
        later("ablation"),
        later(
            "Switching off a part of a trained network, for example by replacing its output with "
            "zeros or with its mean, and measuring how much accuracy is lost. It shows what this "
            "network relies on, not how well a network could do that was trained without the part."
        ),
    ),
    Entry(
        "activation",
        later("activation"),
        later(
            "A value that a unit of a network computes for an image; the activations of a channel "
            "at all places are its feature map. A function that is applied to each value between "
            "two layers, such as ReLU, is called an activation as well."
        ),
    ),
    Entry(
        "relu",
        later("ReLU"),
        later(
            "A function that keeps positive values and turns negative ones into 0: max(0, x). "
            "Without such a function between them, two linear layers in a row could be replaced by "
            "a single one."
        ),
    ),
    Entry(
        "pooling",
        later("pooling"),
        later(
            "A layer that replaces the values in a window by one value, their maximum or their "
            "mean, in each channel separately. It has nothing to learn, and with a stride it makes "
            "the maps smaller."
        ),
    ),
    Entry(
        "stride",
        later("stride"),
        later(
            "How many pixels a window moves from one place to the next. With a stride of 2, the "
            "output is about half as high and half as wide as with a stride of 1."
        ),
    ),
    Entry(
        "padding",
        later("padding"),
        later(
            "Values, usually zeros, that are put around a map before a window slides over it. With "
            "a padding of 1 and a stride of 1, a 3×3 convolution gives maps as large as its input."
        ),
    ),
    Entry(
        "one-by-one",
        later("1×1 convolution"),
        later(
            "A convolution whose window is a single pixel: at every place, it multiplies the "
            "channels by the same matrix. It changes the number of channels and not the size of "
            "the maps, and so it can make a larger kernel behind it cheaper."
        ),
    ),
    Entry(
        "logit",
        later("logit"),
        later(
            "The number that a network gives for a class before the softmax; it can have any sign "
            "and size. The class with the largest logit is the predicted one."
        ),
    ),
    Entry(
        "softmax",
        later("softmax"),
        later(
            "A function that turns logits into probabilities: the exponential of each logit, "
            "divided by the sum of the exponentials of all. They are positive and sum to 1, and "
            "only the differences between the logits matter for them."
        ),
    ),
    Entry(
        "cross-entropy",
        later("cross-entropy"),
        later(
            "The loss that training makes smaller here: minus the logarithm of the probability "
            "that the network gives to the correct class, averaged over images. It is near 0 if "
            "the network is sure of the correct class, and large if it is sure of another one."
        ),
    ),
    Entry(
        "epoch",
        later("epoch"),
        later(
            "One pass of the training through all training images. They come in a new random order "
            "in each epoch, a batch for each step."
        ),
    ),
    Entry(
        "step",
        later("step"),
        later(
            "One update of the parameters: the loss of a batch and its gradient are computed, and "
            "the parameters are moved so that the loss falls. The learning rate decides how far "
            "they move."
        ),
    ),
    Entry(
        "batch",
        later("batch"),
        later(
            "The images that are used together in one step of the training, for example 64. Their "
            "mean gradient is less noisy than the gradient of a single image, and much cheaper "
            "than that of all images."
        ),
    ),
    Entry(
        "gradient",
        later("gradient"),
        later(
            "For each parameter, how fast the loss changes when that parameter is changed a "
            "little. It is computed from the last layer back to the first, and training moves the "
            "parameters against it."
        ),
    ),
    Entry(
        "attribution",
        later("attribution"),
        later(
            "Dividing an answer of the network among its causes, for example saying of each pixel "
            "how much it raises or lowers the logit of a class. Different methods give different "
            "maps, since each asks a question of its own."
        ),
    ),
    Entry(
        "confusion-matrix",
        later("confusion matrix"),
        later(
            "A table with a row for each correct class and a column for each predicted class, "
            "which counts the test images of every pair. Images on the diagonal are classified "
            "correctly, and all others incorrectly."
        ),
    ),
    Entry(
        "dead-filter",
        later("dead filter"),
        later(
            "A filter whose channel is 0 for every image, usually because the ReLU after it gets "
            "only negative values. Then no gradient reaches the filter, so it hardly ever recovers."
        ),
    ),
    Entry(
        "parameters",
        later("parameters"),
        later(
            "The numbers that a network learns: the weights of kernels and matrices, the biases, "
            "and the scales and shifts of normalisation. A 3×3 convolution from 16 to 32 channels "
            "has 32·16·9 weights and 32 biases, which are 4,640 parameters."
        ),
    ),
    Entry(
        "multiply-adds",
        later("multiply-adds"),
        later(
            "How often a network multiplies two numbers and adds the product to a sum, for one "
            "image. A convolution with few parameters can take many of them, since it uses each "
            "weight at every place."
        ),
    ),
    Entry(
        "shares",
        later("contribution"),
        later(
            "How much of a logit one branch of a block gives: what the logit gains when only this "
            "branch is on, compared with none of them. If everything after the block is affine, "
            "the contributions and the logit without any branch sum to the logit exactly."
        ),
    ),
)
