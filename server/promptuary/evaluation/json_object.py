"""The type of free JSON objects: what users write into cases, scorers and JSON schemas, and what stays as they wrote it."""

from collections.abc import Mapping
from typing import Any

JsonObject = Mapping[str, Any]
"""A JSON object whose keys no class lists; it is read, never changed in place."""
