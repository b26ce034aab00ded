"""A client that leaves in the middle of a request is no error of the server."""

import socket
from pathlib import Path

import pytest

from factories.served_process import served_process, wait_until

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "application/json"])
def test_a_client_that_leaves_an_upload_is_no_unexpected_error(tmp_path: Path, media_type: str) -> None:
    path = "/v1/datasets/words/versions"
    with served_process(tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.key}\r\n"
            head += f"Content-Type: {media_type}\r\nContent-Length: 1000\r\n\r\n"
            connection.sendall(head.encode() + b'{"id": "a", "vars": {}}\n')
        wait_until(lambda: f"path={path}" in server.log or f'"path": "{path}"' in server.log)
        assert server.client.get("/v1/datasets").json()["items"] == []
        assert "unexpected error" not in server.log
        assert "Traceback" not in server.log
