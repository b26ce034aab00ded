"""Requests that real emitters sent, with the right reading of each."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any
from zipfile import ZipFile

from paths import ROOT

CAPTURES = ROOT / "tests" / "golden" / "otlp" / "captures.zip"
KEPT_FOR_YEARS = {"PROMPTUARY_TRAFFIC_DAYS": "36500", "PROMPTUARY_TRAFFIC_COUNTER_DAYS": "36500"}
"""Settings of a server that takes the captures whenever a test runs: their calls have the dates of their recording."""


@dataclass(frozen=True)
class Capture:
    """A request in one encoding; `logs` is the request of the same program with log records."""

    name: str
    is_json: bool
    body: bytes
    logs: bytes | None
    expected: dict[str, Any]


@cache
def files() -> dict[str, bytes]:
    """Return the files by their names."""
    with ZipFile(CAPTURES) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@cache
def captures() -> tuple[Capture, ...]:
    """Return every capture in each encoding that it has."""
    expected = json.loads(files()["expected.json"])["captures"]
    return tuple(
        Capture(name, suffix == "json", files()[f"{name}.{suffix}"], files().get(f"{name}.logs.{suffix}"), reading)
        for name, reading in expected.items()
        for suffix in ("json", "pb")
        if f"{name}.{suffix}" in files()
    )


def capture(name: str, *, is_json: bool = False) -> Capture:
    """Return one capture."""
    return next(item for item in captures() if item.name == name and item.is_json is is_json)
