"""Calls that came in through the intake."""

from traffic.intake.conftest import traffic_of

__all__ = ["traffic_of"]
