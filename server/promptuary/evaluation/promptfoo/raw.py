"""The type of a promptfoo file's values, which only this folder handles: the edge, where YAML and JSON come in."""

from typing import Any

RawObject = dict[str, Any]
"""An object of a promptfoo file, or of a suite that is made from one, as YAML or JSON has it; not checked yet."""
