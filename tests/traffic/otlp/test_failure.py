"""The refusal of a request in protobuf is a `google.rpc.Status`."""

import pytest
from google.rpc.status_pb2 import Status

from promptuary.traffic.otlp.failure import failure_response


@pytest.mark.parametrize("message", ["", "send it again later", "ü" * 63, "x" * 127, "x" * 128, "x" * 20_000])
def test_a_refusal_has_the_message_alone(message: str) -> None:
    assert Status.FromString(failure_response(message)) == Status(message=message)
