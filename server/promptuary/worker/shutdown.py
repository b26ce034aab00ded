"""The end of a worker: within seconds of the signal, whatever it is doing."""

import os
import threading
import time

import structlog

GRACE_SECONDS = 8.0
log = structlog.get_logger(__name__)


def end_after(stop: threading.Event, grace: float = GRACE_SECONDS) -> None:
    """Wait for `stop` in a thread, and end the process where it still runs `grace` seconds after.

    A model, a webhook's receiver or MLflow may take longer to answer, and a thread cannot be interrupted. The lease of a run
    ends by itself, a message is due again, and another worker continues; nothing that was written is lost.
    """

    def watch() -> None:
        stop.wait()
        time.sleep(grace)
        log.warning("worker ends with work in progress; another one continues it", grace=grace)
        os._exit(0)

    threading.Thread(target=watch, name="shutdown", daemon=True).start()
