"""Fixtures that several folders of evaluation share: an application on loopback."""

from collections.abc import Iterator

import pytest

from doubles.application import LoopbackApplication, serve_application


@pytest.fixture(scope="module")
def served_application() -> Iterator[LoopbackApplication]:
    """Serve an application for the tests of a module."""
    with serve_application() as application:
        yield application


@pytest.fixture
def loopback(served_application: LoopbackApplication) -> LoopbackApplication:
    """Return the application of the module without requests and fixed answers, in its first version."""
    served_application.requests.clear()
    served_application.fixed.clear()
    served_application.version = "1"
    return served_application
