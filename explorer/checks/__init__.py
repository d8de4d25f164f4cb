"""Checks of what a plugin offers, in every way in which the explorer will use it."""
