"""What several runs say together: means with intervals, differences with tests, and verdicts.

One file each: `intervals.py`, `differences.py` (between two groups of runs), `images.py` (between
two networks on the same images), `power.py` (what so many runs could have shown) and `verdicts.py`
(the same in words). Numbers go in and come out; nothing here knows of runs or networks.

Only `scipy` itself is imported: it loads `scipy.stats`, which takes most of a second, when it is
first used, and so whoever only loads a lesson does not wait for it.
"""
