"""Redact each text of a JSON list on standard input as a service with Presidio does."""

import json
import socket
import sys
from pathlib import Path
from typing import Any

from promptuary.core.settings import Settings
from promptuary.traffic.redaction.hook import build_redactor


def refuse(*arguments: Any) -> None:
    """Refuse a connection: the redaction needs none."""
    raise AssertionError(f"the redaction connects to {arguments}")


if __name__ == "__main__":
    socket.socket.connect = refuse  # type: ignore[method-assign]  # of this process alone
    socket.getaddrinfo = refuse  # type: ignore[assignment]  # of this process alone
    redactor = build_redactor(Settings(data_dir=Path("unused"), traffic_redaction="presidio"))
    answer = json.dumps([redactor.redact_text(text) for text in json.load(sys.stdin)])
    sys.stdout.write(f"{answer}\n")  # after what is logged
