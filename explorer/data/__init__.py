"""The data sets, the embedded MNIST and the cached loader."""
