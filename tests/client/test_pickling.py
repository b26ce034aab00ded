"""A client pickles as its settings: a worker process builds its own."""

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.loopback_server import KEY, Server
from client.worker import look_up
from promptuary import AsyncPromptuary, Promptuary

CLIENTS = [Promptuary, AsyncPromptuary]


@pytest.mark.process
@pytest.mark.parametrize("kind", CLIENTS)
def test_a_spawned_worker_looks_up_with_a_client_that_it_was_sent(kind: Any, server: Server, tmp_path: Path) -> None:
    client = kind(server.url, KEY, ttl=7, deadline=60, follow=False, cache_dir=tmp_path)
    look_up(client)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as workers:
        assert workers.submit(look_up, client).result(120) == ("server", 1, repr(client))
    assert [headers["Authorization"] for _, headers in server.requests] == [f"Bearer {KEY}"] * 2


@pytest.mark.parametrize("kind", CLIENTS)
def test_the_settings_are_the_ones_that_were_given(kind: Any, tmp_path: Path) -> None:
    options = {"url": "http://prompts.example.org", "ttl": 7.0, "deadline": 3.0, "follow": False, "keep_on_missing": True}
    client = kind(cache_dir=tmp_path, **options)
    for copied in (pickle.loads(pickle.dumps(client)), copy.copy(client), copy.deepcopy(client)):
        assert type(copied) is kind
        assert copied is not client
        assert copied._options == client._options
        assert copied._core.policy == client._core.policy
        assert copied._core is not client._core


def test_a_key_of_the_environment_stays_out_of_the_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_API_KEY", KEY)
    data = pickle.dumps(Promptuary(disk=False))
    assert KEY.encode() not in data
    assert pickle.loads(data)._components.endpoint.key == KEY
    assert KEY not in repr(vars(Promptuary(api_key=KEY, disk=False)))


def test_a_client_with_a_transport_cannot_be_sent_and_the_error_has_the_reason() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(500))
    with pytest.raises(TypeError, match="build it in the other process"):
        pickle.dumps(Promptuary(disk=False, transport=transport))
