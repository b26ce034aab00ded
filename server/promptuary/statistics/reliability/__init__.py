"""Coefficients of agreement as sums over units, so that an interval draws units without counting labels again."""
