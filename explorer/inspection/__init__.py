"""Looks inside networks: what they are made of and what they do with an image."""
