"""Judges and labels of people: a mean corrected by labels, the draw of labels, and how well a judge agrees."""
