"""The event loop of an execution collects garbage seldom, and leaves the process as it was."""

import gc

import pytest

from promptuary.evaluation.execution.event_loop import NEW_OBJECTS, rare_collections, run_execution


def test_the_outcome_of_the_work_is_returned_and_its_error_raised() -> None:
    async def work() -> int:
        return 7

    async def fail() -> None:
        raise ZeroDivisionError

    assert run_execution(work()) == 7
    with pytest.raises(ZeroDivisionError):
        run_execution(fail())


def test_collections_are_rare_in_the_block_and_as_before_after_it() -> None:
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold() == (NEW_OBJECTS, *before[1:])
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_a_collector_that_is_off_stays_off() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0, *before[1:])
    try:
        with rare_collections():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)
