"""The policy of the pages: nothing from elsewhere, and no script that a page contains."""

import base64
import hashlib

import pytest

from promptuary_ui.security_headers import content_security_policy, page_policy

pytestmark = pytest.mark.process


def test_a_script_in_the_document_is_allowed_by_its_digest_alone() -> None:
    policy = content_security_policy('<script>\nstart()\n</script><script type="module" src="./a.js"></script>')
    digest = base64.b64encode(hashlib.sha256(b"\nstart()\n").digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy


def test_the_policy_lets_a_page_load_from_its_own_server_only() -> None:
    policy = page_policy()
    assert policy.startswith("default-src 'self'; ")
    assert "http:" not in policy
    assert "*" not in policy


def test_no_page_runs_scripts_in_line_or_from_texts() -> None:
    scripts = next(part for part in page_policy().split("; ") if part.startswith("script-src"))
    assert scripts.count("sha256-") == 1
    assert "unsafe" not in scripts
    assert "blob:" not in scripts
