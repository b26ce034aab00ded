"""Judges compared with people: who a judge is, and the labels of people that grade and correct it."""
