"""Data sets: how they are described, read, cached and moved to the device; MNIST is included."""
