"""The app. Pages show what the core computed and hold no logic of their own."""
