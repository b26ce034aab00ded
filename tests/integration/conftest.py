"""Tests with large programs of others, in environments of their own; `make integration` installs these and runs the tests."""

import os

collect_ignore_glob = [] if os.environ.get("PROMPTUARY_INTEGRATION") == "1" else ["test_*.py"]
