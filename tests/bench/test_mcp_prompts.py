"""The requests that are compared get the same text back."""

from pathlib import Path

import pytest

from bench import mcp_prompts
from bench.serving import build


@pytest.mark.process
def test_each_kind_of_request_is_measured(tmp_path: Path) -> None:
    rows = mcp_prompts.latencies(build(tmp_path / "data", prompts=2, versions=1), requests=2)
    assert [row.what for row in rows] == ["POST …/render", "MCP prompts/get, 2026-07-28", "MCP prompts/get, 2025-11-25"]
    assert rows[0].p99_ratio == 1
