"""Lookups of values by dotted names, and the declarations of variables that apply to them."""
