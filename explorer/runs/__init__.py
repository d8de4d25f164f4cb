"""Runs: what was asked for, where it is kept, and how the network of a run is restored."""
