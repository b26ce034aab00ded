"""Which tests run: on which databases, and which are left out where no browser is installed.

A test that names `database` (itself, through its own fixtures, or by `pytest.mark.usefixtures`) runs on SQLite and on
PostgreSQL; every other test that needs one gets SQLite, and `sqlite` overrides `database`. Fixtures are in `factories/`.
"""

import logging
import os
import shutil
from collections.abc import Sequence
from typing import Any

import hypothesis
import pytest

pytest_plugins = [
    "pytester",
    "factories.logs",
    "factories.clock",
    "factories.databases",
    "factories.callers",
    "factories.apps",
    "factories.chat_models",
    "factories.evaluation",
    "factories.judged_results",
    "factories.sampled_calls",
    "factories.context",
    "factories.prompt_search",
]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_CHROMIUM = "install one (Debian: `apt-get install chromium`) or point PROMPTUARY_CHROMIUM at it"
REQUIRE_ALL = os.environ.get("PROMPTUARY_REQUIRE_ALL") == "1"
CHROMIUM = os.environ.get("PROMPTUARY_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
BYTES_OF_A_WORKER = 2 * 1024**3
"""The memory that a worker of the suite and the processes that it starts may need at once."""
_left_out = pytest.StashKey[list[str]]()

hypothesis.settings.register_profile("promptuary", deadline=None, max_examples=60, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("promptuary")


def pytest_xdist_auto_num_workers() -> int | None:
    """Return two workers a processor, since tests wait for processes half of their time; fewer where memory is short."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(2 * processors, memory // BYTES_OF_A_WORKER))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once a database where it names `database`."""
    if "opened_database" in metafunc.fixturenames:
        both = "database" in metafunc.fixturenames and "sqlite" not in metafunc.fixturenames
        metafunc.parametrize("opened_database", ["sqlite", "postgresql"] if both else ["sqlite"], indirect=True)


def pytest_configure(config: pytest.Config) -> None:
    """Start with no test left out."""
    config.stash[_left_out] = []


@pytest.hookimpl(tryfirst=True)  # before `-m` selects by the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests on PostgreSQL, and leave browser tests out where there is no browser and that is allowed."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        if "postgres" in getattr(item, "fixturenames", ()) or (parameters and "postgresql" in parameters.params.values()):
            item.add_marker(pytest.mark.postgresql)
    if CHROMIUM or REQUIRE_ALL:
        return
    browser = [item for item in items if item.get_closest_marker("browser")]
    if browser:
        items[:] = [item for item in items if item not in browser]
        config.hook.pytest_deselected(items=browser)
        config.stash[_left_out] = [item.nodeid for item in browser]
        if hasattr(config, "workeroutput"):
            config.workeroutput["left_out"] = config.stash[_left_out]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a browser test that may not be left out and has no browser."""
    if item.get_closest_marker("browser") and not CHROMIUM:
        pytest.fail(f"PROMPTUARY_REQUIRE_ALL=1, and no Chromium is found: {HOW_TO_GET_CHROMIUM}", pytrace=False)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what a worker of pytest-xdist left out; every worker collects the same."""
    left_out = getattr(node, "workeroutput", {}).get("left_out")
    if left_out:
        node.config.stash[_left_out] = left_out


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the tests that were left out, and what would bring them back."""
    left_out: Sequence[str] = config.stash[_left_out]
    if left_out:
        terminalreporter.section("left out")
        for name in left_out:
            terminalreporter.line(name)
        terminalreporter.line(f"{len(left_out)} browser tests were left out, for no Chromium is found: {HOW_TO_GET_CHROMIUM}")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own `PROMPTUARY_…` variables out of the tests."""
    for name in [name for name in os.environ if name.startswith("PROMPTUARY_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_logging() -> None:
    """Let no test lose records because an earlier one in its process configured logging, as each command does."""
    logging.root.setLevel(logging.WARNING)
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("promptuary") and isinstance(logger, logging.Logger):
            logger.setLevel(logging.NOTSET)
            logger.disabled = False


@pytest.fixture
def chromium() -> str:
    """The path of the browser that browser tests drive."""
    assert CHROMIUM is not None
    return CHROMIUM
