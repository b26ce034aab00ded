"""The benchmark's data set is as the services write it, and its responses are those of a lookup."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bench import lookup
from promptuary.access import audit
from promptuary.api.app import create_app
from promptuary.core.settings import read_settings


def test_the_data_set_accepts_lookups_and_writes(tmp_path: Path) -> None:
    data = lookup.build(tmp_path / "data", prompts=3, versions=2)
    app = create_app(read_settings(data_dir=data.folder))
    with TestClient(app, base_url="http://127.0.0.1", headers=data.authorization) as client:
        for name in data.names:
            version = client.get(f"/v1/prompts/{name}").json()
            assert (version["version"], version["labels"], version["template"][1]["content"]) == (
                2,
                ["production"],
                "{{ticket}}",
            )
        path = f"/v1/prompts/{data.names[0]}"
        assert client.put(f"{path}/labels/production", json={"version": 1}).json()["revision"] == 10
        assert client.get(path).json()["version"] == 1
        assert client.get(f"{path}?version=2").json()["digest"] != client.get(path).json()["digest"]
    with app.services.database.read() as session:
        assert audit.verify_chain(session, 1).broken_at is None


def test_without_wrk_the_error_states_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(lookup.NoWrk, match="`wrk` is not installed"):
        lookup.drive(lookup.Data(tmp_path, "pmt_x", ["a"]), "http://127.0.0.1:1", 1)
