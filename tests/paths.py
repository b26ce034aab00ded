"""Where the checkout, its golden files and the public data beside it are; tests use these, wherever they stand themselves."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
GOLDEN = TESTS / "golden"
SHARED = ROOT.parent / "shared"
