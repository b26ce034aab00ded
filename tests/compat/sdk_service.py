"""A listening service as a test sees it, and what MLflow's SDK does behind a test's back."""

import threading
from dataclasses import dataclass, field


@dataclass
class Service:
    """A service that is listening; `requests` are the lines that reached it, with their statuses."""

    url: str
    requests: list[str] = field(default_factory=list)


def settle() -> None:
    """Wait for what MLflow's SDK does in the background: it notes the experiment that loaded a prompt."""
    for thread in threading.enumerate():
        if thread.name.startswith("link_prompt_to_experiment"):
            thread.join(20)
            assert not thread.is_alive()
