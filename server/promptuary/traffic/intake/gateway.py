"""Where the routes pass a request on to: another process beside a server, or a thread of this one."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from promptuary.traffic.intake.intake import TrafficIntake
from promptuary.traffic.intake.report import IntakeReport
from promptuary.traffic.intake.request import IntakeRequest, read_request


class IntakeGateway(Protocol):
    """Takes requests; the answer comes when what they contain is stored."""

    async def start(self) -> None:
        """Start what takes requests, so that the first one does not wait for it. Nothing is raised."""
        ...

    async def take(self, request: IntakeRequest) -> IntakeReport:
        """Take a request.

        Raises:
            MalformedBody, BodyTooLarge, InvalidRequest: for a body that cannot be read.
            TooManyRequests, Unavailable: with nothing acknowledged; the same request may be sent again.
        """
        ...

    def close(self) -> None:
        """End what takes requests."""
        ...


@dataclass(frozen=True)
class ThreadIntake:
    """Takes each request in a thread of this process: for commands without a server, and for tests."""

    intake: TrafficIntake

    async def start(self) -> None:
        """Start nothing: a thread starts with its request."""

    async def take(self, request: IntakeRequest) -> IntakeReport:
        """Take a request; see `IntakeGateway`."""
        return await asyncio.to_thread(self._take, request)

    def close(self) -> None:
        """End nothing: no thread lasts longer than its request."""

    def _take(self, request: IntakeRequest) -> IntakeReport:
        reading = read_request(request, self.intake.settings)
        return self.intake.take(request.project, reading)
