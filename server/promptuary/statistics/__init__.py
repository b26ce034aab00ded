"""Intervals, paired comparisons, verdicts, power, interim analyses, correction by labels, agreement, ranking.

Pure: numbers in, frozen values out; no I/O, no clock, and no randomness without a seed. Nothing is imported here, so that a
lookup never pays for numpy and scipy: import the module that defines the name.
"""
