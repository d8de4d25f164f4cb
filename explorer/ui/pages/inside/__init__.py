"""The page *Look inside*: a file each for what it lets the visitor choose, see and ask."""
