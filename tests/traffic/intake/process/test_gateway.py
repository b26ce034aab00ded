"""The intake process, as a server uses it."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from factories.served_process import wait_until
from promptuary.core.errors import InvalidRequest, MalformedBody, TooManyRequests, Unavailable
from promptuary.traffic.intake.process import gateway
from promptuary.traffic.intake.process.gateway import ProcessIntake
from promptuary.traffic.intake.request import IntakeRequest, RequestKind
from traffic.intake.conftest import Traffic

pytestmark = pytest.mark.process
Use = Callable[[ProcessIntake], Awaitable[None]]


def observations(project: int, *ids: str) -> IntakeRequest:
    call = {"prompt": "support.triage", "version": 1, "at": "2026-03-02T11:59:00Z"}
    body = json.dumps({"observations": [call | {"id": name} for name in ids]}).encode()
    return IntakeRequest(project, RequestKind.OBSERVATIONS, body)


@pytest.fixture
def use(settings: Any) -> Callable[[Use], None]:
    """Use an intake process on the test's database, and end it."""

    def run(act: Use) -> None:
        async def with_intake() -> None:
            intake = ProcessIntake(settings)
            try:
                await act(intake)
            finally:
                intake.close()

        asyncio.run(with_intake())

    return run


def is_running(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.usefixtures("database")
def test_requests_are_taken_in_another_process(use: Callable[[Use], None], traffic: Traffic) -> None:
    async def act(intake: ProcessIntake) -> None:
        assert intake.process_id is None
        report = await intake.take(observations(traffic.project, "a", "b"))
        assert (report.calls, report.repeats) == (2, 0)
        assert intake.process_id not in (None, os.getpid())
        assert (await intake.take(observations(traffic.project, "b"))).repeats == 1

    use(act)
    assert traffic.counted() == {(1, ""): 2}


def test_errors_of_a_body_come_back_as_they_are(use: Callable[[Use], None], traffic: Traffic) -> None:
    async def act(intake: ProcessIntake) -> None:
        with pytest.raises(MalformedBody, match="not JSON"):
            await intake.take(IntakeRequest(traffic.project, RequestKind.OBSERVATIONS, b"{"))
        with pytest.raises(InvalidRequest) as raised:
            await intake.take(observations(traffic.project, ""))
        assert [error.path for error in raised.value.field_errors] == ["observations.0.id"]
        assert (await intake.take(observations(traffic.project, "a"))).calls == 1

    use(act)


@pytest.mark.usefixtures("database")
def test_many_requests_at_once_are_each_counted_once(use: Callable[[Use], None], traffic: Traffic) -> None:
    async def act(intake: ProcessIntake) -> None:
        requests = [observations(traffic.project, f"{number}", f"{number}-again", "shared") for number in range(100)]
        wrong = IntakeRequest(traffic.project, RequestKind.OBSERVATIONS, b"{")
        results = await asyncio.gather(*map(intake.take, [*requests[:50], wrong, *requests[50:]]), return_exceptions=True)
        assert [type(result) for result in results if isinstance(result, Exception)] == [MalformedBody]

    use(act)
    assert traffic.counted() == {(1, ""): 201}


def test_a_killed_process_is_started_again(use: Callable[[Use], None], traffic: Traffic) -> None:
    async def act(intake: ProcessIntake) -> None:
        await intake.take(observations(traffic.project, "a"))
        first = intake.process_id
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        in_flight = asyncio.create_task(intake.take(observations(traffic.project, "b")))
        await asyncio.sleep(0)  # it is sent
        os.kill(first, signal.SIGKILL)
        with pytest.raises(Unavailable, match="send the same request again"):
            await in_flight
        assert (await intake.take(observations(traffic.project, "b"))).calls == 1
        assert intake.process_id != first

    use(act)
    assert traffic.counted() == {(1, ""): 2}


def test_the_process_starts_before_the_first_request(use: Callable[[Use], None], traffic: Traffic) -> None:
    async def act(intake: ProcessIntake) -> None:
        await intake.start()
        process = intake.process_id
        assert process is not None
        assert (await intake.take(observations(traffic.project, "a"))).calls == 1
        assert intake.process_id == process

    use(act)


def test_an_idle_process_that_was_killed_is_replaced_without_a_request(use: Callable[[Use], None], traffic: Traffic) -> None:
    async def act(intake: ProcessIntake) -> None:
        await intake.take(observations(traffic.project, "a"))
        first = intake.process_id
        assert first is not None
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(60):
            while intake.process_id in (None, first):
                await asyncio.sleep(0.02)
        assert (await intake.take(observations(traffic.project, "b"))).calls == 1

    use(act)


def test_a_process_that_cannot_start_is_tried_again_after_a_pause(
    use: Callable[[Use], None], traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "FIRST_PAUSE", 600.0)
    monkeypatch.setattr(gateway, "LONGEST_PAUSE", 600.0)
    monkeypatch.setattr(gateway, "PROGRAM", "promptuary.no_such_program")

    async def act(intake: ProcessIntake) -> None:
        with pytest.raises(Unavailable):
            await intake.take(observations(traffic.project, "a"))
        with pytest.raises(Unavailable, match="cannot start") as raised:
            await intake.take(observations(traffic.project, "a"))
        assert 0 < raised.value.retry_after <= 600

    use(act)


def test_more_requests_than_may_wait_are_refused(
    use: Callable[[Use], None], traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "PENDING_REQUESTS", 2)

    async def act(intake: ProcessIntake) -> None:
        await intake.take(observations(traffic.project, "a"))
        process = intake.process_id
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        waiting = [asyncio.create_task(intake.take(observations(traffic.project, name))) for name in ("b", "c")]
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequests) as raised:
            await intake.take(observations(traffic.project, "d"))
        assert raised.value.retry_after > 0
        os.kill(process, signal.SIGCONT)
        assert [report.calls for report in await asyncio.gather(*waiting)] == [1, 1]
        assert (await intake.take(observations(traffic.project, "d"))).calls == 1

    use(act)
    assert traffic.counted() == {(1, ""): 4}


def test_a_body_waits_alone_however_large_it_is(
    use: Callable[[Use], None], traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "PENDING_BODIES", 0)

    async def act(intake: ProcessIntake) -> None:
        first, second = intake.take(observations(traffic.project, "a")), intake.take(observations(traffic.project, "b"))
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(result).__name__ for result in results] == ["IntakeReport", "TooManyRequests"]

    use(act)


def test_the_process_ends_with_its_server(use: Callable[[Use], None], traffic: Traffic) -> None:
    processes: list[int | None] = []

    async def act(intake: ProcessIntake) -> None:
        await intake.take(observations(traffic.project, "a"))
        processes.append(intake.process_id)

    use(act)
    (process,) = processes
    assert process is not None
    wait_until(lambda: not is_running(process))


def test_a_closed_intake_refuses(settings: Any) -> None:
    async def act() -> None:
        intake = ProcessIntake(settings)
        intake.close()
        with pytest.raises(Unavailable, match="the service stops"):
            await intake.take(observations(1, "a"))

    asyncio.run(act())
