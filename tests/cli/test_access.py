"""Keys created, listed and revoked by the command line, and the audit chain verified."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest

from cli.conftest import Run

UseServer = Callable[[str], Mapping[str, str]]


def test_a_key_is_shown_once_and_its_revocation_later(run: Run) -> None:
    created = run("key", "create", "pipeline", "--role", "ci", "--days", 30, "--json").json
    assert created["key"].startswith("pmt_")
    assert (created["name"], created["role"]) == ("pipeline", "ci")
    listed = run("key", "list", "--json")
    assert [(key["id"], key["name"], key["role"], key["revoked_at"]) for key in listed.json] == [
        (created["id"], "pipeline", "ci", None)
    ]
    assert created["key"] not in listed.out

    assert run("key", "revoke", created["id"]).out == f"key {created['id']} is revoked\n"
    (revoked,) = run("key", "list", "--json").json
    assert revoked["revoked_at"] is not None
    assert run("key", "list").out.splitlines()[1].startswith(f"{created['id']}\tpipeline\tci\t")


def test_without_json_the_key_alone_is_printed(run: Run) -> None:
    key = run("key", "create", "app", "--role", "reader").out
    assert key.startswith("pmt_")
    assert key.count("\n") == 1


def test_a_local_key_opens_the_server_until_it_is_revoked(run: Run, served: UseServer) -> None:
    variables = served("reader")
    assert run("prompts", "--json").json == []
    assert "may not" in run("key", "list").error_line
    headers = {"Authorization": f"Bearer {variables['PROMPTUARY_API_KEY']}"}
    assert httpx.get(f"{variables['PROMPTUARY_URL']}/v1/prompts", headers=headers).status_code == 200

    served("operator")
    (reader,) = [key for key in run("key", "list", "--json").json if key["role"] == "reader"]
    assert run("key", "revoke", reader["id"]).code == 0
    assert httpx.get(f"{variables['PROMPTUARY_URL']}/v1/prompts", headers=headers).status_code == 401


def test_a_server_refuses_an_unknown_key(run: Run, served: UseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    served("author")
    for key in ("pmt_nobody_nothing", ""):
        monkeypatch.setenv("PROMPTUARY_API_KEY", key)
        result = run("prompts")
        assert (result.code, "key" in result.error_line) == (64, True)
    for key in ("schlüssel", "two\nlines"):
        monkeypatch.setenv("PROMPTUARY_API_KEY", key)
        assert "PROMPTUARY_API_KEY" in run("prompts").error_line


def test_an_intact_audit_chain_passes_and_a_broken_one_ends_with_1(run: Run, word: Path, data_dir: Path) -> None:
    chain = run("audit", "verify", "--json").json
    assert chain["broken_at"] is None
    assert run("audit", "verify").out == f"the audit chain is intact: {chain['rows']} rows\n"

    with sqlite3.connect(data_dir / "promptuary.db") as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE audit SET subject = 'another' WHERE id = (SELECT max(id) FROM audit)")
    database.close()

    result = run("audit", "verify")
    assert (result.code, result.err) == (1, "")
    assert result.out.startswith(f"the audit chain is broken at row {chain['rows']}: ")
    result = run("audit", "verify", "--json")
    assert result.code == 1
    assert f'"broken_at": {chain["rows"]}' in result.out


def test_a_head_that_was_kept_finds_a_cut_tail(run: Run, word: Path, data_dir: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run("key", "create", name, "--role", "reader")
    line, as_json = tmp_path / "head.txt", tmp_path / "head.json"
    line.write_text(run("audit", "head").out)
    as_json.write_text(run("audit", "head", "--json").out)
    rows = json.loads(as_json.read_text())["sequence"]
    run("key", "create", "three", "--role", "reader")
    for head in (line, as_json):
        expected = f"the audit chain is intact: {rows + 1} rows, with row {rows} as it was kept\n"
        assert run("audit", "verify", "--against", head).out == expected

    with sqlite3.connect(data_dir / "promptuary.db") as database:
        database.execute("DROP TRIGGER audit_no_delete")
        database.execute(f"DELETE FROM audit WHERE sequence >= {rows}")
        database.execute(f"UPDATE project SET audit_sequence = {rows - 1}")
    database.close()

    assert run("audit", "verify").code == 0
    for head in (line, as_json):
        result = run("audit", "verify", "--against", head)
        assert (result.code, result.err) == (1, "")
        reason = f"rows are missing at the end: the kept head is row {rows}"
        assert result.out == f"the audit chain is broken at row {rows}: {reason}\n"


@pytest.mark.parametrize("text", ["", "12", "{}", "[1]", '{"sequence": 1, "digest": "0"}', "1 sha256:0"])
def test_a_file_without_a_head_is_refused(run: Run, tmp_path: Path, text: str) -> None:
    file = tmp_path / "head"
    file.write_text(text)
    result = run("audit", "verify", "--against", file)
    assert result.code == 64
    assert "no head of an audit chain" in result.error_line


def test_a_head_of_another_project_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "head.json"
    file.write_text(run("audit", "head", "--project", "shop", "--json").out)
    result = run("audit", "verify", "--against", file)
    assert result.code == 64
    assert "'shop'" in result.error_line


def test_a_person_is_created_given_a_key_and_a_role_and_deactivated(run: Run) -> None:
    person = run("person", "create", "Dana", "--role", "editor", "--json").json
    key = run("key", "create", "laptop", "--role", "editor", "--person", "dana", "--json").json
    assert (key["person"], key["person_id"]) == ("Dana", person["id"])
    assert run("person", "role", "Dana", "lead").out == "Dana is lead in default\n"
    code = run("person", "code", person["id"]).out
    assert code.startswith("pmc_")
    listed = run("person", "list").out.splitlines()
    assert listed[1].startswith(f"{person['id']}\tDana\tlead in default\t")
    assert run("person", "role", "Dana", "none").out == "Dana is no member of default any more\n"
    assert run("person", "deactivate", "Dana").out == "Dana is deactivated\n"
    (stored,) = run("person", "list", "--json").json
    assert stored["deactivated_at"] is not None
    (revoked,) = run("key", "list", "--json").json
    assert revoked["revoked_at"] is not None


def test_a_pipelines_key_is_created_with_what_it_is_allowed(run: Run) -> None:
    allowed = ("--allow", "suite:write", "--allow", "dataset:write")
    key = run("key", "create", "pipeline", "--role", "ci", *allowed, "--json").json
    assert key["grants"] == ["dataset:write", "suite:write"]
    assert run("key", "list").out.splitlines()[1].endswith("\tdataset:write suite:write")


def test_an_unknown_person_and_an_unknown_role_are_reported(run: Run) -> None:
    assert "there is no person 'Eve'" in run("person", "deactivate", "Eve").error_line
    assert "role" in run("person", "create", "Eve", "--role", "king").error_line
    assert "name" in run("person", "create", "Da\u202ena", "--role", "viewer").error_line


def test_the_table_of_roles_names_every_route_and_role(run: Run) -> None:
    table = run("key", "roles").out
    assert "| `GET /v1/prompts/{name}` | `prompt:lookup` | ✓ |" in table
    assert "`PUT /v1/suites/{suite}` | `run:write`, to change something `suite:write`" in table


def test_a_rule_for_pipelines_is_added_listed_and_removed(run: Run) -> None:
    options = ("--branch", "main", "--event", "push", "--minutes", 30, "--allow", "suite:write")
    rule = run("key", "rule", "add", "acme/prompts", *options, "--json").json
    assert (rule["issuer"], rule["minutes"]) == ("https://token.actions.githubusercontent.com", 30)
    assert run("key", "rule", "list", "--json").json == [rule]
    row = run("key", "rule", "list").out.splitlines()[1]
    assert row == f"{rule['id']}\t{rule['issuer']}\tacme/prompts\tmain\t\tpush\t30\tsuite:write"
    assert run("key", "rule", "remove", rule["id"]).out == f"rule {rule['id']} is removed\n"
    assert run("key", "rule", "list", "--json").json == []
    refused = run("key", "rule", "add", "acme/prompts", "--branch", "main", "--issuer", "https://evil.test")
    assert (refused.code, "PROMPTUARY_KEYLESS_ISSUERS" in refused.err) == (64, True)
