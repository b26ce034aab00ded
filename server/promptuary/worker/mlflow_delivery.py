"""A process that delivers runs to MLflow when it receives a line: `python -m promptuary.worker.mlflow_delivery`.

The command line starts one before a run, so that MLflow is imported when the run has finished. It replies to each line with one
line when all that was due was tried, and ends with its input. With `--once` it needs no input: it delivers what is due, tries
again for a while, and ends. One such process at a time delivers from a data directory; another waits for it.
"""

import fcntl
import gc
import os
import sys
import time
from contextlib import suppress

from promptuary.core import outbox
from promptuary.core.clock import wall_clock
from promptuary.core.database import Database
from promptuary.core.logs import configure_logging
from promptuary.core.settings import Settings, read_settings
from promptuary.evaluation.tracking.mlflow_tracker import MlflowTracker
from promptuary.evaluation.tracking.topic import TRACKING_TOPIC
from promptuary.worker.database import open_worker_database

LOCK_FILE = "mlflow-delivery.lock"
_RETRY_SECONDS = (1.5, 3.0, 6.0, 12.0)


def main() -> None:
    """Import MLflow, then deliver whenever a line requests it; or deliver once."""
    gc.disable()  # imports stay, and a delivery leaves little garbage
    replies = os.dup(1)
    os.dup2(2, 1)  # what MLflow prints is no reply
    configure_logging("ERROR")
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]  # MLflow works without, and is ready a quarter second earlier
    settings = read_settings()
    database = open_worker_database(settings)
    tracker = MlflowTracker(settings, database)
    if "--once" in sys.argv[1:]:
        with suppress(Exception):
            _deliver_once(settings, database, tracker)
        os._exit(0)
    with suppress(Exception):  # the delivery reports it
        tracker.warm()
    for _ in sys.stdin.buffer:
        with suppress(Exception):  # stays due
            outbox.relay(database, wall_clock, TRACKING_TOPIC, tracker.deliver)
        os.write(replies, b"\n")
    os._exit(0)


def _deliver_once(settings: Settings, database: Database, tracker: MlflowTracker) -> None:
    """Deliver until nothing is due or the last try has failed, when no other such process does."""
    os.nice(10)  # nobody waits for it, and a next run may be in progress
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / LOCK_FILE).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for wait in (*_RETRY_SECONDS, None):
            outcome = outbox.relay(database, wall_clock, TRACKING_TOPIC, tracker.deliver)
            while outcome.delivered and not outcome.failed:
                outcome = outbox.relay(database, wall_clock, TRACKING_TOPIC, tracker.deliver)
            if not outcome.failed or wait is None:
                return
            time.sleep(wait)


if __name__ == "__main__":
    main()
