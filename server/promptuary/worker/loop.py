"""The worker's loop: lease a run and execute it; in other threads, submit scheduled runs and deliver the outbox.

A projection that is down, or a run that takes an hour, delays nothing else. Errors are logged, and the loop continues.
"""

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
from promptuary.evaluation.runs.worker_process import worker_name

POLL_SECONDS = 0.5
ERROR_PAUSE_SECONDS = 5.0
INDEPENDENT_THREADS = 3
"""The threads that deliver an independent topic: a receiver that is slow delays only the messages of its thread."""
Handler = Callable[[dict[str, Any]], None]
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Worker:
    """Executes runs and deliveries until it is stopped.

    Attributes:
        database: the database of runs and messages.
        clock: returns the present time.
        settings: contain the length of a lease.
        execution: executes a run.
        relays: for each topic of the outbox, the handler that delivers one message.
        independent_topics: the topics whose messages do not wait for each other.
        tick: submits the runs that are due by a schedule; returns whether there were any.
        steps: further steps by name, each in a thread of its own; each returns whether there is more to do.
        name: the owner of its leases.
    """

    database: Database
    clock: Clock
    settings: Settings
    execution: RunExecutor
    relays: Sequence[tuple[str, Handler]]
    independent_topics: frozenset[str] = frozenset()
    tick: Callable[[], bool] = lambda: False
    steps: Sequence[tuple[str, Callable[[], bool]]] = ()
    name: str = field(default_factory=worker_name)

    def step(self, stop: threading.Event | None = None) -> bool:
        """Execute one round: scheduled runs, further steps, due messages, then one run; return whether anything was done."""
        done = [
            self.tick(),
            *(step() for _, step in self.steps),
            *(self.deliver(topic, handler) for topic, handler in self.relays),
        ]
        return self.work(stop) or any(done)

    def deliver(self, topic: str, handler: Handler) -> bool:
        """Deliver a topic's due messages; return whether any was delivered."""
        relay = outbox.relay_independent if topic in self.independent_topics else outbox.relay
        return relay(self.database, self.clock, topic, handler).delivered > 0

    def work(self, stop: threading.Event | None = None) -> bool:
        """Lease the oldest run that is due and execute it; return whether there was one."""
        run = self.execution.lease(self.name)
        if run is None:
            return False
        self.execution.execute(run, stop=stop)
        return True

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set; then release the current run, for another worker to continue."""
        log.info("worker started", worker=self.name, topics=[topic for topic, _ in self.relays])
        threads = [
            threading.Thread(
                target=_repeat, args=(stop, lambda pair=pair: self.deliver(*pair)), name=f"relay-{pair[0]}", daemon=True
            )
            for pair in self.relays
            for _ in range(INDEPENDENT_THREADS if pair[0] in self.independent_topics else 1)
        ]
        threads += [
            threading.Thread(target=_repeat, args=(stop, step), name=name, daemon=True)
            for name, step in (("schedules", self.tick), *self.steps)
        ]
        for thread in threads:
            thread.start()
        _repeat(stop, lambda: self.work(stop))
        for thread in threads:
            thread.join()
        log.info("worker stopped", worker=self.name)


def _repeat(stop: threading.Event, step: Callable[[], bool]) -> None:
    """Repeat a step: at once where there was something to do, else after a pause."""
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
