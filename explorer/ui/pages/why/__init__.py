"""The page *Why?*: lessons, each a question that is answered claim by claim."""
