"""The report: does what a plugin offers hold in every way in which the explorer will use it?"""
