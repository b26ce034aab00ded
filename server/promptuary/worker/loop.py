"""The worker's loop: lease a run and do it; beside that, in threads of their own, submit scheduled runs and deliver the outbox.

A projection that is down, or a run that takes an hour, holds nothing else up. What goes wrong is logged, and the loop goes on.
"""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from promptuary.core import outbox
from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.errors import Unavailable
from promptuary.core.settings import Settings
from promptuary.evaluation.execution.executor import RunExecutor

POLL_SECONDS = 0.5
ERROR_PAUSE_SECONDS = 5.0
Handler = Callable[[dict[str, Any]], None]
log = structlog.get_logger(__name__)


def worker_name() -> str:
    """Give a name that no other worker has: host, process and a few random letters."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"


@dataclass(frozen=True)
class Worker:
    """Does runs and deliveries until it is told to stop.

    Attributes:
        database: where runs and messages are.
        clock: gives the present moment.
        settings: how long a lease is.
        execution: does a run.
        relays: for each topic of the outbox the handler that delivers one message.
        apart: the topics whose messages do not wait for each other.
        tick: submits the runs that are due by a schedule; True if there were any.
        name: what its leases are signed with.
    """

    database: Database
    clock: Clock
    settings: Settings
    execution: RunExecutor
    relays: Sequence[tuple[str, Handler]]
    apart: frozenset[str] = frozenset()
    tick: Callable[[], bool] = lambda: False
    name: str = field(default_factory=worker_name)

    def step(self, stop: threading.Event | None = None) -> bool:
        """Do one round of everything: scheduled runs, each topic's due messages, then one run; True if anything was done."""
        done = [self.tick(), *(self.deliver(topic, handler) for topic, handler in self.relays)]
        return self.work(stop) or any(done)

    def deliver(self, topic: str, handler: Handler) -> bool:
        """Deliver a topic's due messages; True if any got through."""
        relay = outbox.relay_independent if topic in self.apart else outbox.relay
        return relay(self.database, self.clock, topic, handler).delivered > 0

    def work(self, stop: threading.Event | None = None) -> bool:
        """Lease the oldest run that is due and do it; True if there was one."""
        run = self.execution.lease(self.name)
        if run is None:
            return False
        self.execution.execute(run, stop=stop)
        return True

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then the run at hand is given back for another to go on with."""
        log.info("worker started", worker=self.name, topics=[topic for topic, _ in self.relays])
        threads = [
            threading.Thread(
                target=_repeat, args=(stop, lambda pair=pair: self.deliver(*pair)), name=f"relay-{pair[0]}", daemon=True
            )
            for pair in self.relays
        ]
        threads.append(threading.Thread(target=_repeat, args=(stop, self.tick), name="schedules", daemon=True))
        for thread in threads:
            thread.start()
        _repeat(stop, lambda: self.work(stop))
        for thread in threads:
            thread.join()
        log.info("worker stopped", worker=self.name)


def _repeat(stop: threading.Event, step: Callable[[], bool]) -> None:
    """Do a step again and again: at once where there was something to do, else after a while."""
    while not stop.is_set():
        try:
            wait = 0.0 if step() else POLL_SECONDS
        except Unavailable as error:
            log.warning("worker waits", error=str(error))
            wait = ERROR_PAUSE_SECONDS
        except Exception:
            log.exception("worker's step failed")
            wait = ERROR_PAUSE_SECONDS
        stop.wait(wait)
