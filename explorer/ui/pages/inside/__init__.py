"""The page *Look inside*: one file each for what a visitor can choose, see and ask."""
