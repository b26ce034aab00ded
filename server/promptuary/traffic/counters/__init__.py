"""Counters of calls: what is counted, and the tables that contain it."""
