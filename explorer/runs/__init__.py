"""Runs: what was asked, where it is kept, and the network of a run brought back."""
