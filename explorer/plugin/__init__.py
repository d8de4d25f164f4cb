"""Plugins: where they come from, what they offer, and why a plugin is broken."""
