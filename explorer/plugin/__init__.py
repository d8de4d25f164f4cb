"""Plugins: where they come from, what they offer, what is wrong with those that are broken."""
