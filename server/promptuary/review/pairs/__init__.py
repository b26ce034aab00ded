"""Pairs of outputs: on which side each reviewer sees which one."""
