"""A process that delivers runs to MLflow when it receives a line: `python -m promptuary.worker.mlflow_delivery`.

The command line starts one before a run, so that MLflow is imported when the run has finished. It replies to each line with one
line when all that was due was tried, and ends with its input.
"""

import gc
import os
import sys
from contextlib import suppress

from promptuary.core import outbox
from promptuary.core.clock import wall_clock
from promptuary.core.database import Database
from promptuary.core.logs import configure_logging
from promptuary.core.settings import read_settings
from promptuary.evaluation.tracking.mlflow_tracker import MlflowTracker
from promptuary.evaluation.tracking.topic import TRACKING_TOPIC


def main() -> None:
    """Import MLflow, then deliver whenever a line requests it."""
    gc.disable()  # imports stay, and a delivery leaves little garbage
    replies = os.dup(1)
    os.dup2(2, 1)  # what MLflow prints is no reply
    configure_logging("ERROR")
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]  # MLflow works without, and is ready a quarter second earlier
    settings = read_settings()
    database = Database(settings.sql_url)
    tracker = MlflowTracker(settings, database)
    with suppress(Exception):  # the delivery reports it
        tracker.warm()
    for _ in sys.stdin.buffer:
        with suppress(Exception):  # stays due
            outbox.relay(database, wall_clock, TRACKING_TOPIC, tracker.deliver)
        os.write(replies, b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
