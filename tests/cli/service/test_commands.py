"""The commands that create and check a data directory, and when they refuse to start."""

import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.conftest import Run
from promptuary.cli.service import commands as service
from promptuary.cli.service.processes import free_port
from promptuary.core.settings import read_settings
from promptuary.embedding.chroma_ownership import ChromaOwnership


@pytest.fixture
def used_port() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Free ports for every program that `up` starts."""
    for name in ("PORT", "UI_PORT", "MLFLOW_PORT"):
        monkeypatch.setenv(f"PROMPTUARY_{name}", str(free_port()))


def test_init_creates_a_private_data_directory_and_the_first_key(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "data"
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(folder))
    result = run("init")
    assert result.out.splitlines()[0] == f"data directory: {folder}"
    assert result.out.splitlines()[1].startswith("operator's key, printed only now: pmt_")
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "promptuary.db").is_file()


def test_a_second_init_shows_no_key(run: Run) -> None:
    run("init")
    again = run("init")
    assert again.code == 0
    assert "pmt_" not in again.out
    (key,) = run("key", "list", "--json").json
    assert again.out.splitlines()[1] == f"an operator's key exists already: {key['id']} (operator)"


def test_after_the_key_was_revoked_init_makes_another(run: Run) -> None:
    run("init")
    run("key", "revoke", run("key", "list", "--json").json[0]["id"])
    assert "operator's key, printed only now: pmt_" in run("init").out


def test_the_doctor_lists_its_checks(run: Run, monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setattr(service.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**40))
    checks = {check["check"]: check for check in run("doctor", "--json").json}
    assert list(checks) == [
        "python",
        "sqlite",
        "database",
        "outbox",
        "data directory",
        "disk",
        "open files",
        "all-MiniLM-L6-v2",
        "local:smollm2",
    ]
    assert all(check["ok"] for check in checks.values())
    assert checks["data directory"]["found"] == str(data_dir)
    assert [line.split("\t")[0] for line in run("doctor").out.splitlines()] == ["", *["ok"] * 9]


def test_the_doctor_ends_with_1_where_a_check_fails(run: Run, monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setattr(service.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    monkeypatch.setattr(service, "_models", lambda: iter([("local:smollm2", False, "the weights are not installed")]))
    data_dir.chmod(0o755)
    result = run("doctor")
    assert result.code == 1
    assert [line.split("\t")[1] for line in result.out.splitlines() if line.startswith("!!")] == [
        "data directory",
        "disk",
        "local:smollm2",
    ]
    assert f"!!\tdata directory\t{data_dir}: others may read it; chmod 700" in result.out.splitlines()


@pytest.mark.parametrize("command", ["serve", "ui"])
def test_a_part_does_not_start_on_a_port_in_use(
    run: Run, monkeypatch: pytest.MonkeyPatch, used_port: int, command: str
) -> None:
    setting = {"serve": "PROMPTUARY_PORT", "ui": "PROMPTUARY_UI_PORT"}[command]
    for arguments, variables in (([command, "--port", used_port], {}), ([command], {setting: str(used_port)})):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        result = run(*arguments)
        assert (result.code, result.out) == (3, "")
        assert f"127.0.0.1:{used_port}" in result.error_line
        assert f"set {setting} to another port" in result.error_line


@pytest.mark.usefixtures("free_ports")
@pytest.mark.parametrize("setting", ["PROMPTUARY_PORT", "PROMPTUARY_UI_PORT", "PROMPTUARY_MLFLOW_PORT"])
def test_up_starts_nothing_where_one_of_its_ports_is_in_use(
    run: Run, monkeypatch: pytest.MonkeyPatch, used_port: int, setting: str, data_dir: Path
) -> None:
    monkeypatch.setenv(setting, str(used_port))
    result = run("up")
    assert (result.code, result.out) == (3, "")
    assert f"set {setting} to another port" in result.error_line
    assert not (data_dir / "logs").exists()


@pytest.mark.usefixtures("free_ports")
def test_up_starts_nothing_beside_another_owner_of_the_chroma_folder(run: Run, data_dir: Path) -> None:
    other_owner = ChromaOwnership(data_dir / "chroma")
    assert other_owner.take()
    result = run("up")
    other_owner.release()
    assert (result.code, f"another process uses {data_dir / 'chroma'}" in result.error_line) == (3, True)


def test_parts_that_run_elsewhere_are_not_started(tmp_path: Path) -> None:
    chosen = read_settings(data_dir=tmp_path, chroma_url="http://chroma:8000", mlflow_tracking_uri="http://mlflow:5000")
    assert [program.name for program in service._programs(chosen, None)] == ["api", "worker", "ui"]
    all_here = service._programs(read_settings(data_dir=tmp_path), 9000)
    assert [program.name for program in all_here] == ["chroma", "api", "worker", "ui", "mlflow"]
    assert {program.environment.get("PROMPTUARY_CHROMA_URL") for program in all_here[1:3]} == {"http://127.0.0.1:9000"}


def test_a_demo_on_a_new_data_directory_needs_a_checkout(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "the demo runs in a checkout of Promptuary: prompts: does not exist" in run("demo", "--exit").error_line
