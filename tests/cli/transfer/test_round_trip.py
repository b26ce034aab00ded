"""A registry of two hundred prompts goes to a new server and comes back byte for byte, as a bundle and as files."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cli.conftest import CommandResult, Run, restored_process_state
from factories.varied_prompts import COUNT, register_prompts
from promptuary.cli.connection import ApiClient, connect

Server = dict[str, str]


@contextmanager
def connected(server: Server) -> Iterator[ApiClient]:
    with pytest.MonkeyPatch.context() as patch, restored_process_state():
        for name, value in server.items():
            patch.setenv(name, value)
        with connect() as api:
            yield api


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Server:
    """A server with the prompts, on SQLite."""
    folder = tmp_path_factory.mktemp("source")
    shutil.copy(migrated_file, folder)
    server = {"PROMPTUARY_DATA_DIR": str(folder)}
    with connected(server) as api:
        register_prompts(api)
    return server


@pytest.fixture
def new_server(request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> Iterator[Callable[[str], Server]]:
    """Make a new, empty server: `new_server("postgresql")`."""
    with ExitStack() as stack:

        def make(dialect: str) -> Server:
            folder = tmp_path / "target"
            folder.mkdir(mode=0o700)
            server = {"PROMPTUARY_DATA_DIR": str(folder)}
            if dialect == "postgresql":
                server["PROMPTUARY_DATABASE_URL"] = stack.enter_context(request.getfixturevalue("postgres").copy())
            else:
                shutil.copy(migrated_file, folder)
            return server

        yield make


@pytest.fixture
def run_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CommandResult]:
    """Run a command on a server: `run_on(source, "export", file)`."""

    def run_command(server: Server, *arguments: object) -> CommandResult:
        with monkeypatch.context() as patch:
            for name, value in server.items():
                patch.setenv(name, value)
            result = run(*arguments)
        assert result.code == 0, result.err
        return result

    return run_command


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.yaml"))}


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_bundle_of_all_prompts_is_the_same_from_the_new_server(
    run_on: Callable[..., CommandResult],
    source: Server,
    new_server: Callable[[str], Server],
    dialect: str,
    tmp_path: Path,
) -> None:
    first, second, target = tmp_path / "first.json", tmp_path / "second.json", new_server(dialect)
    assert run_on(source, "export", first, "--all-versions", "--json").json["prompts"] == COUNT
    run_on(target, "import", first)
    run_on(target, "export", second, "--all-versions")
    assert second.read_bytes() == first.read_bytes()


def test_pulled_files_applied_to_a_new_server_are_pulled_the_same(
    run_on: Callable[..., CommandResult], source: Server, new_server: Callable[[str], Server], tmp_path: Path
) -> None:
    first, second, target = tmp_path / "first", tmp_path / "second", new_server("sqlite")
    run_on(source, "sync", "pull", first)
    run_on(target, "sync", "apply", first)
    run_on(target, "sync", "pull", second)
    assert files_of(second) == files_of(first)
    assert len(files_of(second)) > COUNT * 0.9  # archived prompts are left out
