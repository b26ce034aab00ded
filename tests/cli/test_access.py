"""Keys made, listed and ended by the command line, and the audit chain verified."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest

from cli.conftest import Run

Turn = Callable[[str], Mapping[str, str]]


def test_a_key_is_shown_once_and_only_its_end_later(run: Run) -> None:
    made = run("key", "create", "pipeline", "--role", "ci", "--days", 30, "--json").json
    assert made["key"].startswith("pmt_")
    assert (made["name"], made["role"]) == ("pipeline", "ci")
    listed = run("key", "list", "--json")
    assert [(one["id"], one["name"], one["role"], one["revoked_at"]) for one in listed.json] == [
        (made["id"], "pipeline", "ci", None)
    ]
    assert made["key"] not in listed.out

    assert run("key", "revoke", made["id"]).out == f"key {made['id']} is revoked\n"
    (ended,) = run("key", "list", "--json").json
    assert ended["revoked_at"] is not None
    assert run("key", "list").out.splitlines()[1].startswith(f"{made['id']}\tpipeline\tci\t")


def test_without_json_the_key_alone_is_printed(run: Run) -> None:
    key = run("key", "create", "app", "--role", "reader").out
    assert key.startswith("pmt_")
    assert key.count("\n") == 1


def test_a_key_made_here_opens_the_server_and_a_revoked_one_does_not(run: Run, served: Turn) -> None:
    variables = served("reader")
    assert run("prompts", "--json").json == []
    assert "may not" in run("key", "list").fault
    headers = {"Authorization": f"Bearer {variables['PROMPTUARY_API_KEY']}"}
    assert httpx.get(f"{variables['PROMPTUARY_URL']}/v1/prompts", headers=headers).status_code == 200

    served("operator")
    (reader,) = [one for one in run("key", "list", "--json").json if one["role"] == "reader"]
    assert run("key", "revoke", reader["id"]).code == 0
    assert httpx.get(f"{variables['PROMPTUARY_URL']}/v1/prompts", headers=headers).status_code == 401


def test_a_server_wants_a_key_that_it_knows(run: Run, served: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    served("author")
    for key in ("pmt_nobody_nothing", ""):
        monkeypatch.setenv("PROMPTUARY_API_KEY", key)
        told = run("prompts")
        assert (told.code, "key" in told.fault) == (64, True)
    for key in ("schlüssel", "two\nlines"):
        monkeypatch.setenv("PROMPTUARY_API_KEY", key)
        assert "PROMPTUARY_API_KEY" in run("prompts").fault


def test_a_whole_chain_is_told_as_whole_and_a_broken_one_ends_with_1(run: Run, word: Path, data_dir: Path) -> None:
    found = run("audit", "verify", "--json").json
    assert found["broken_at"] is None
    assert run("audit", "verify").out == f"the audit chain is intact: {found['rows']} rows\n"

    with sqlite3.connect(data_dir / "promptuary.db") as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE audit SET subject = 'another' WHERE id = (SELECT max(id) FROM audit)")
    database.close()

    told = run("audit", "verify")
    assert (told.code, told.err) == (1, "")
    assert told.out.startswith(f"the audit chain is broken at row {found['rows']}: ")
    told = run("audit", "verify", "--json")
    assert told.code == 1
    assert f'"broken_at": {found["rows"]}' in told.out
