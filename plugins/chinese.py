"""The texts of the built-in plugins in Chinese."""

from explorer import hookimpl


@hookimpl
def register_translations(register):
    for texts in (FAMILIES, NETWORKS, OPTIONS, LESSONS, DATA):
        register("zh-CN", texts)


# The first paragraph of each file.
FAMILIES = {
    "One network at every depth, with and without skips, to ask why Residual.": (
        "各种深度的同一种网络，有或没有跳跃连接，用来研究为什么要用残差。"
    ),
    "DenseNet: every layer sees the outputs of all layers before it.": (
        "DenseNet：每一层都能看到前面所有层的输出。"
    ),
    "GoogLeNet's inception modules, with the paper's own proportions, at small scale.": (
        "GoogLeNet 的 Inception 模块，保持论文中的比例，规模较小。"
    ),
    "Inception nets: every block looks at its input at several scales at once.": (
        "Inception 网络：每个块同时在多个尺度上观察输入。"
    ),
    "A multilayer perceptron: what a network can learn without any convolution.": (
        "多层感知机：完全不用卷积，网络能学到什么。"
    ),
    "Network in network: small perceptrons slide over the image in place of linear filters.": (
        "网络中的网络（Network in Network）：在图像上滑动的是小型感知机，而不是线性卷积核。"
    ),
    "A plain stack: two convolutions, one after the other, and a classifier.": (
        "普通堆叠：两个先后相接的卷积，再加一个分类器。"
    ),
    "Residual nets: a block adds something to its input instead of replacing it.": (
        "残差网络：块把某些内容加到输入上，而不是替换输入。"
    ),
    "The ResNet that the paper trains on images of 32 pixels: 6n + 2 layers in three stages.": (
        "论文在 32 像素图像上训练的 ResNet：三个阶段，共 6n + 2 层。"
    ),
    "ResNet-18 and ResNet-34, designed for ImageNet and adapted to small images.": (
        "ResNet-18 与 ResNet-34，为 ImageNet 而设计，并针对小图像做了调整。"
    ),
    "Networks that differ in the windows through which they look, at equal size or equal cost.": (
        "窗口各不相同的网络，参数量相同或计算量相同。"
    ),
}

# The docstring of each network, paragraph by paragraph.
NETWORKS = {
    "A network of any depth whose blocks of two convolutions have a skip, or have none.": (
        "任意深度的网络，由两个卷积构成的块可以有跳跃连接，也可以没有。"
    ),
    """
    The first convolution halves the maps; all others keep height, width and channels, so that
    depth is all that changes, and a skip needs no parameters.
    """: (
        "第一个卷积把特征图的边长减半；其余卷积都保持高度、宽度和通道数，因此变化的只有深度，"
        "跳跃连接也不需要参数。"
    ),
    "Each layer concatenates its output to its input and adds nothing: the channels only grow.": (
        "每一层都把输出拼接到输入之后，不做加法：通道数只增不减。"
    ),
    """
    Each layer passes its input on, with `growth` new channels after it. Between the blocks a 1×1
    convolution keeps half of the channels, and the maps are halved (the paper's DenseNet-BC). The
    paper's smallest net has a growth of 12, and 16 layers in each block.
    """: (
        "每一层把输入原样传下去，并在其后增加 `growth` 个新通道。块与块之间，1×1 卷积保留一半的"
        "通道，特征图的边长减半（即论文中的 DenseNet-BC）。论文中最小的网络，增长率为 12，"
        "每个块有 16 层。"
    ),
    "GoogLeNet's modules with true 5×5 windows, and a switch that removes the 1×1 reductions.": (
        "GoogLeNet 的模块，带有真正的 5×5 窗口，并有一个去掉 1×1 降维的开关。"
    ),
    """
    The widths are table 1's, divided by 8 or another number; maps are halved where the paper's
    are. Without the reductions the 3×3 and 5×5 branches convolve all channels, and the pool branch
    passes all of them on (fig. 2a): compare the costs. Differences from the paper: a stem of one
    3×3 convolution for small images, no local response normalisation, no auxiliary classifiers,
    and He's initialisation, arXiv:1502.01852.
    """: (
        "宽度取自论文的表 1，再除以 8 或另一个数；特征图减半的位置与论文相同。去掉降维后，3×3 和 "
        "5×5 分支要对所有通道做卷积，池化分支则把所有通道都传下去（图 2a）：请比较两者的开销。"
        "与论文的不同之处：针对小图像，开头只有一个 3×3 卷积；没有局部响应归一化；没有辅助分类器；"
        "采用 He 初始化，arXiv:1502.01852。"
    ),
    "Two blocks that look at their input through four windows, and keep all four views.": (
        "两个块，各通过四种窗口观察输入，并保留全部四种视野。"
    ),
    """
    The tutorial's Inception net, exactly: branches of 16, 24, 24 and 24 channels, average-pooling
    before the pool branch's 1×1. 97,298 parameters on MNIST. There is no activation inside the
    block, so each branch is a chain of affine maps and the whole block is one affine map: but for
    the borders, a single 5×5 convolution could do the same. `inception-bn` is the block with
    activations.
    """: (
        "与教程中的 Inception 网络完全一致：四个分支分别有 16、24、24 和 24 个通道，池化分支在 1×1 "
        "卷积之前做平均池化。在 MNIST 上有 97,298 个参数。块内没有激活，因此每个分支都是一串仿射"
        "映射，整个块也是一个仿射映射：除边缘以外，一个 5×5 卷积就能做到同样的事。"
        "带激活的块见 `inception-bn`。"
    ),
    "Inception blocks with batch normalisation and a ReLU after every convolution.": (
        "Inception 块，每个卷积之后都有批归一化和 ReLU。"
    ),
    """
    GoogLeNet's four paths (max-pooling in the pool branch, 1×1 reductions before the larger
    kernels), `width` channels each. Every block but the last is followed by 2×2 max-pooling, and
    the last one's maps are averaged to one value a channel.
    """: (
        "GoogLeNet 的四条路径（池化分支为最大池化，较大的卷积核之前有 1×1 降维），各有 `width` 个"
        "通道。除最后一个块以外，每个块之后都有 2×2 最大池化；最后一个块的特征图按通道取平均，"
        "每个通道得到一个值。"
    ),
    "Linear layers on a row of pixels: it does not know which pixels are neighbours.": (
        "作用在一行像素上的线性层：它不知道哪些像素相邻。"
    ),
    """
    On MNIST's centred digits it is nearly as good as a convolutional net, with many more
    parameters; on images where objects are in different places it is not. Without an activation
    all its layers together are one linear layer, however many there are.
    """: (
        "在 MNIST 居中的数字上，它几乎与卷积网络一样好，但参数多得多；如果图像中的物体位置不固定，"
        "就不是这样了。没有激活时，无论有多少层，所有层合起来只是一个线性层。"
    ),
    "Every convolution is followed by two of 1×1: a small perceptron at every pixel.": (
        "每个卷积之后都有两个 1×1 卷积：相当于在每个像素处放一个小型感知机。"
    ),
    """
    This is where 1×1 convolutions come from: they mix the channels of a pixel and see no other
    pixel. The last block gives one map for each class, and the logit of a class is the mean of its
    map, so no linear layer is needed, and the maps show where each class was seen. There are three
    blocks, as in the paper, which has 192 channels where this net has `width`.
    """: (
        "1×1 卷积就出自这里：它们混合同一像素的各个通道，看不到其他像素。最后一个块为每个类别给出"
        "一张特征图，类别的 logit 就是这张图的均值，因此不需要线性层，而且从特征图可以看出每个类别"
        "出现在哪里。与论文一样有三个块；论文中的 192 个通道，在这里是 `width` 个。"
    ),
    "Two 5×5 convolutions in a row: what the other architectures are measured against.": (
        "两个先后相接的 5×5 卷积：其他架构都与它比较。"
    ),
    """
    The first convolutional net of the tutorial's course: each convolution is followed by 2×2
    max-pooling and a ReLU, and one linear layer reads the 20 maps that are left. 8,490 parameters
    on MNIST.
    """: (
        "教程所属课程中的第一个卷积网络：每个卷积之后是 2×2 最大池化和 ReLU，最后由一个线性层读取"
        "剩下的 20 张特征图。在 MNIST 上有 8,490 个参数。"
    ),
    "Two residual blocks: each output is the block's input plus a learned correction.": (
        "两个残差块：每个块的输出是它的输入加上学到的修正。"
    ),
    """
    The tutorial's Residual net with its block corrected: F(x) = conv2(relu(conv1(x))), then
    relu(x + F(x)). 41,514 parameters on MNIST. `residual-as-printed` is the same net with the slip.
    """: (
        "教程中的残差网络，其中的块已经更正：F(x) = conv2(relu(conv1(x)))，然后是 relu(x + F(x))。"
        "在 MNIST 上有 41,514 个参数。`residual-as-printed` 是保留了笔误的同一个网络。"
    ),
    "The Residual net with the tutorial's slip: half of each block is computed and never used.": (
        "保留了教程笔误的残差网络：每个块有一半算出来却从未使用。"
    ),
    """
    The printed block computes y = relu(conv1(x)) and then y = conv2(x), so conv1's result is thrown
    away and F(x) is conv2 alone. 11,568 of the 41,514 parameters never receive a gradient. It still
    learns MNIST, which is why the slip is easy to miss.
    """: (
        "教程印出的块先计算 y = relu(conv1(x))，再计算 y = conv2(x)，于是 conv1 的结果被丢弃，F(x) "
        "只剩 conv2。41,514 个参数中有 11,568 个从未得到梯度。它仍然能学会 MNIST，所以这个笔误"
        "很容易被忽略。"
    ),
    "Residual blocks with batch normalisation, and a switch that takes the skips away.": (
        "带批归一化的残差块，并有一个去掉跳跃连接的开关。"
    ),
    """
    Each block is relu(x + F(x)) with F = BN(conv(relu(BN(conv(x))))), the basic block of the ResNet
    paper (fig. 2 with the normalisation of section 3.4). Images are halved once before the blocks
    and averaged to one value a channel after them. Without the skip a block is relu(F(x)), the same
    weights in a plain stack, so the two can be compared at any depth.
    """: (
        "每个块是 relu(x + F(x))，其中 F = BN(conv(relu(BN(conv(x)))))，即 ResNet 论文的基本块"
        "（图 2，加上第 3.4 节的归一化）。图像在进入块之前边长减半一次，在块之后按通道取平均，每个"
        "通道得到一个值。没有跳跃连接时，块是 relu(F(x))，即由同样的权重构成的普通堆叠，因此可以在"
        "任意深度比较两者。"
    ),
    "6n + 2 layers in three stages of n residual blocks, as the ResNet paper trains on CIFAR-10.": (
        "共 6n + 2 层，分为三个阶段，每个阶段 n 个残差块，与 ResNet 论文在 CIFAR-10 上训练的相同。"
    ),
    """
    The stages have 16, 32 and 64 channels, each on maps half as large as those of the stage
    before. Without the skips, the same parameters are the paper's plain nets: deep ones train
    worse than shallow ones (fig. 6), which is not so for the residual nets. Without batch
    normalisation, which the paper always has, the convolutions have a bias; and where there is a
    skip, the second convolution of each block begins at zero, since the sums would otherwise grow
    with every block (Zhang et al., arXiv:1901.09321).
    """: (
        "三个阶段分别有 16、32 和 64 个通道，每个阶段的特征图边长是前一阶段的一半。去掉跳跃连接后，"
        "同样的参数就是论文中的普通网络：深的比浅的训练得更差（图 6），残差网络则不会这样。论文中"
        "总有批归一化；没有批归一化时，卷积带有偏置；如果有跳跃连接，每个块的第二个卷积从零开始，"
        "否则每经过一个块，和都会变大（Zhang 等，arXiv:1901.09321）。"
    ),
    "The ImageNet paper's ResNet of 34 layers, or of 18, with a first layer for small images.": (
        "ImageNet 论文中 34 层或 18 层的 ResNet，第一层改为适合小图像。"
    ),
    """
    There are four stages of basic blocks, each with twice the channels on maps half as large. A 3×3
    convolution at full size replaces the first 7×7 convolution and the max-pooling, which would
    leave 7×7 pixels of 28×28. With a width of 64 it is the paper's net, and torchvision's, weight
    for weight; by default it is a quarter as wide, so that it can be trained without a GPU.
    """: (
        "由基本块构成的四个阶段，每个阶段通道数加倍，特征图边长减半。开头的 7×7 卷积和最大池化会使 "
        "28×28 只剩 7×7 像素，因此换成一个保持原尺寸的 3×3 卷积。宽度为 64 时，它就是论文的网络，"
        "也与 torchvision 的逐个权重一致；默认宽度是其四分之一，这样没有 GPU 也能训练。"
    ),
    "Two blocks of windows of one size, or of several, all with as many parameters.": (
        "两个块，窗口为单一尺寸或多种尺寸，参数量都相同。"
    ),
    """
    A network with windows of one size has as many channels as give its blocks the parameters of
    those with several: 1×1, 3×3 and 5×5 behind 1×1 reductions, and pooling. Each weight is used at
    every place of maps of one size in all of them, so they take as many multiply-adds too.
    """: (
        "单一尺寸窗口的网络，其通道数的选取使块的参数量与多种窗口的块相同；多种窗口是：1×1，"
        "1×1 降维之后的 3×3 和 5×5，以及池化。在所有这些网络中，每个权重都用于同样大小的特征图的"
        "每个位置，因此乘加次数也相同。"
    ),
    "The tutorial's Inception net with a ReLU after every convolution.": (
        "教程中的 Inception 网络，每个卷积之后都加上 ReLU。"
    ),
    """
    Nothing else is changed: it has as many parameters and takes as many multiply-adds, so what
    differs is what activations within the blocks are worth.
    """: ("其他都没有改变：参数量和乘加次数都相同，因此差别就是块内激活的作用。"),
}

OPTIONS = {
    "Activation": "激活",
    "Blocks": "块数",
    "Bottleneck": "瓶颈",
    "Depth": "深度",
    "Divisor": "除数",
    "Dropout": "Dropout",
    "Growth": "增长率",
    "Init": "初始化",
    "Layers": "层数",
    "Modules": "模块数",
    "N": "n",
    "Norm": "归一化",
    "Perceptron": "感知机",
    "Reduce": "降维",
    "Shortcut": "捷径连接",
    "Skip": "跳跃连接",
    "Width": "宽度",
    "Windows": "窗口",
    "Without": "去掉",
    "1×1 convolutions after each larger one": "每个较大的卷积之后的 1×1 卷积数",
    "1×1 convolutions before the larger ones and after pooling": (
        "在较大的卷积之前和池化之后使用 1×1 卷积"
    ),
    "A 1×1 convolution to four times the growth first": "先用 1×1 卷积变为增长率四倍的通道数",
    "Add each block's input to its output": "把每个块的输入加到输出上",
    "Batch normalisation after every convolution": "每个卷积之后做批归一化",
    "Before the classifier; the paper has 0.4": "在分类器之前；论文为 0.4",
    "Between blocks; the paper has 0.5": "在块之间；论文为 0.5",
    "Blocks a stage: 3 are ResNet-20, 9 are ResNet-56": (
        "每个阶段的块数：3 即 ResNet-20，9 即 ResNet-56"
    ),
    "Blocks, each on images half as large": "块数，每个块的图像边长是前一个的一半",
    "Channels of each branch": "每个分支的通道数",
    "Channels of each of several windows": "多种窗口中每一种的通道数",
    "Channels of every block": "每个块的通道数",
    "Channels of every convolution": "每个卷积的通道数",
    "Channels of the first stage": "第一阶段的通道数",
    "Channels that each layer adds": "每一层增加的通道数",
    "Channels within the blocks": "块内的通道数",
    "Dense blocks, each on maps half as large": "密集块的个数，每个块的特征图边长是前一个的一半",
    "He's initialisation, or torch's default": "He 初始化，或 torch 的默认初始化",
    "Hidden layers": "隐藏层数",
    "Inception modules, from 3a on": "Inception 模块数，从 3a 开始",
    "Layers of each block": "每个块的层数",
    "Layers with weights": "有权重的层数",
    "Layers with weights, shortcuts not counted": "有权重的层数，不计捷径连接",
    "Residual blocks, of two convolutions each": "残差块的个数，每个块有两个卷积",
    "Share of units set to zero at each step": "每一步中置零的单元所占比例",
    "The paper's widths over this": "论文中的宽度除以这个数",
    "Units of each hidden layer": "每个隐藏层的单元数",
    "What follows each hidden layer": "每个隐藏层之后是什么",
    "What the blocks look through": "块通过什么窗口观察",
    "Where a stage begins: subsample and pad with zeros (A), or a 1×1 convolution (B)": (
        "在阶段开始处：下采样并补零（A），或用 1×1 卷积（B）"
    ),
    "Which of several windows is left out": "去掉多种窗口中的哪一种",
    "3x3 twice": "两次 3x3",
    "he": "He",
    "identity": "恒等",
    "none": "无",
    "nothing": "都不去掉",
    "pool": "池化",
    "projection": "投影",
    "relu": "ReLU",
    "several": "多种",
    "tanh": "tanh",
    "torch": "torch",
}

# The controls of the lessons; their texts have files of their own.
LESSONS = {
    "Block": "块",
    "Channels": "通道数",
    "Column": "列",
    "Dataset": "数据集",
    "Filters": "卷积核数",
    "Image": "图像",
    "Images": "图像",
    "Instead": "替代值",
    "Kernel": "卷积核",
    "Network": "网络",
    "Plane": "平面",
    "Reduced": "降维后",
    "Row": "行",
    "Seed": "随机种子",
    "Seen": "画法",
    "Size": "尺寸",
    "A random plane is computed now, coarsely": "随机平面会当场粗略计算",
    "Blocks that are removed": "移除的块",
    "Channels after the 1×1": "1×1 之后的通道数",
    "Channels between the two": "两层之间的通道数",
    "Channels of the input": "输入的通道数",
    "Column of the pixel": "像素所在的列",
    "Filters, the channels of the output": "卷积核数，即输出的通道数",
    "Height and width of the maps": "特征图的高度和宽度",
    "Height and width of the window": "窗口的高度和宽度",
    "How the surface is drawn": "曲面怎样画出",
    "Of the random plane": "随机平面的种子",
    "Of which block": "哪个块",
    "Of which images the errors are": "误差是在哪些图像上的",
    "Row of the pixel": "像素所在的行",
    "The images": "所用的图像",
    "What the branch gives when it is off": "分支关闭时给出什么",
    "Which net": "哪个网络",
    "Which test image": "哪张测试图像",
    "contours": "等高线",
    "incep1": "incep1",
    "incep2": "incep2",
    "inception": "inception",
    "mean": "均值",
    "mnist": "mnist",
    "mnist-scales": "mnist-scales",
    "of the training": "训练所在的平面",
    "random": "随机",
    "residual": "residual",
    "solid": "立体",
    "test": "测试",
    "times": "倍",
    "training": "训练",
    "zero": "零",
}

DATA = {
    "CIFAR-10": "CIFAR-10",
    "Fashion-MNIST": "Fashion-MNIST",
    "KMNIST": "KMNIST",
    "MNIST": "MNIST",
    "MNIST at many scales": "多种尺度的 MNIST",
    "QMNIST": "QMNIST",
    # Fashion-MNIST.
    "T-shirt": "T 恤",
    "trousers": "长裤",
    "pullover": "套头衫",
    "dress": "连衣裙",
    "coat": "外套",
    "sandal": "凉鞋",
    "shirt": "衬衫",
    "sneaker": "运动鞋",
    "bag": "包",
    "ankle boot": "短靴",
    # CIFAR-10.
    "airplane": "飞机",
    "automobile": "汽车",
    "bird": "鸟",
    "cat": "猫",
    "deer": "鹿",
    "dog": "狗",
    "frog": "青蛙",
    "horse": "马",
    "ship": "船",
    "truck": "卡车",
}
