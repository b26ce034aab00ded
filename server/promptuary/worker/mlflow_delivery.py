"""A process that delivers runs to MLflow when a line comes in: `python -m promptuary.worker.mlflow_delivery`.

The command line starts one before it begins a run, so that MLflow is there when the run is done. It answers each line with
one when all that was due has been tried, and ends with its input.
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
    """Get MLflow ready, then deliver whenever that is asked for."""
    gc.disable()  # what is imported stays, and a delivery leaves little behind
    answers = os.dup(1)
    os.dup2(2, 1)  # what MLflow prints is no answer
    configure_logging("ERROR")
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]  # MLflow does without, and is ready a quarter second earlier
    settings = read_settings()
    database = Database(settings.sql_url)
    tracker = MlflowTracker(settings, database)
    with suppress(Exception):  # told by the delivery
        tracker.warm()
    for _ in sys.stdin.buffer:
        with suppress(Exception):  # stays due
            outbox.relay(database, wall_clock, TRACKING_TOPIC, tracker.deliver)
        os.write(answers, b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
