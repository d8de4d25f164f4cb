"""Looks inside networks: what they consist of and what they do with an image."""
