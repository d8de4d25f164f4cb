"""The app. Pages show what the core computed and hold no logic of their own."""

from explorer.ui.app import main

__all__ = ["main"]
