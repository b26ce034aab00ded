"""`promptuary init | serve | worker | ui | up | doctor`: run the service and check it."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptuary.cli.connection import NotInstalled, connect
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, print_json, print_line, print_table
from promptuary.cli.service.processes import (
    NotStarted,
    Program,
    check_port,
    free_port,
    run_programs,
    stopped_by_signal,
    wait_until_stopped,
)
from promptuary.prompt.errors import PromptuaryError

if TYPE_CHECKING:
    from promptuary.core.settings import Settings
    from promptuary.http_server.limits import ConnectionLimits

LOOPBACK = "127.0.0.1"  # MLflow and Chroma have no authentication, so they never listen elsewhere
Host = Annotated[str | None, typer.Option("--host", help="The address to listen on; loopback by default.")]
Port = Annotated[int | None, typer.Option("--port", help="The port; 8400 by default.", parser=integer, metavar="INTEGER")]
UiPort = Annotated[int | None, typer.Option("--port", help="The port; 8401 by default.", parser=integer, metavar="INTEGER")]


def load_settings(**overrides: Any) -> "Settings":
    """Return the settings.

    Raises:
        NotInstalled: when the server is not installed.
    """
    try:
        from promptuary.core.settings import read_settings
    except ModuleNotFoundError as error:
        raise NotInstalled(f"the server is not installed ({error.name}); install promptuary[server]") from None
    return read_settings(**overrides)


def init() -> None:
    """Create the data directory with its database, and an operator's key, which is printed only now."""
    data = load_settings().data_dir
    with connect() as api:
        keys = [key for key in api.items("/keys") if key["role"] == "operator" and key["revoked_at"] is None]
        print_line(f"data directory: {data}")
        if keys:
            print_line(f"an operator's key exists already: {keys[0]['id']} ({keys[0]['name']})")
            return
        key = api.post("/keys", {"name": "operator", "role": "operator"})
    print_line(f"operator's key, printed only now: {key['key']}")


def serve(host: Host = None, port: Port = None) -> None:
    """Run the API."""
    chosen = load_settings(host=host, port=port)
    from promptuary.api.server import serve
    from promptuary.core.logs import configure_logging

    configure_logging(chosen.log_level)
    check_port("the API", chosen.host, chosen.port, "PROMPTUARY_PORT")
    serve(chosen)


def worker() -> None:
    """Run the worker: evaluation runs, schedules, and deliveries to Chroma and MLflow."""
    chosen = load_settings()
    from concurrent.futures import ThreadPoolExecutor

    from promptuary.core.logs import configure_logging
    from promptuary.worker.assembly import build_worker
    from promptuary.worker.shutdown import end_after

    configure_logging(chosen.log_level)
    with build_worker(chosen) as assembled, stopped_by_signal() as stopped, ThreadPoolExecutor(1) as pool:
        end_after(stopped)
        pool.submit(assembled.run, stopped).result()  # this thread is free to handle signals, whatever the worker is doing


def ui(host: Host = None, port: UiPort = None) -> None:
    """Run the Streamlit app, on the API at PROMPTUARY_URL."""
    chosen = load_settings(host=host, ui_port=port)
    url = os.environ.get("PROMPTUARY_URL") or f"http://{chosen.host}:{chosen.port}"
    program = ui_program(chosen.host, chosen.ui_port, url)
    check_port("the UI", chosen.host, chosen.ui_port, "PROMPTUARY_UI_PORT")
    os.execvpe(program.command[0], list(program.command), {**os.environ, **program.environment})


def ui_program(host: str, port: int, url: str) -> Program:
    """Return the program of the UI, on the API at `url`.

    Raises:
        NotInstalled: when Streamlit is not installed.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise NotInstalled("the UI is not installed; install promptuary[ui]")
    from promptuary_ui.launch import command

    arguments, environment = command(host, port, url)
    return Program("ui", arguments, environment, f"http://{host}:{port}/_stcore/health")


def up() -> None:
    """Run everything: API, worker, UI, Chroma and MLflow's UI; Ctrl-C stops them together."""
    with all_programs(load_settings()) as started:
        wait_until_stopped(started)


@contextmanager
def all_programs(chosen: "Settings") -> Iterator[list[Any]]:
    """Start every program on the data directory and print its address; stop all of them at the end."""
    from promptuary.core.database import Database
    from promptuary.embedding.chroma_ownership import ChromaOwnership
    from promptuary.migrations.upgrade import upgrade

    chosen.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(chosen.sql_url)
    upgrade(database)
    database.dispose()
    _check_ports(chosen)
    ownership = ChromaOwnership(chosen.data_dir / "chroma")
    if not chosen.chroma_url and not ownership.take():
        raise NotStarted(f"another process uses {ownership.folder}; stop it first")
    programs = _programs(chosen, None if chosen.chroma_url else free_port())
    try:
        with run_programs(programs, chosen.data_dir / "logs") as started:
            chroma = next((running.program.ready_at for running in started if running.program.name == "chroma"), None)
            if chroma:
                ownership.publish_address(chroma.removesuffix("/api/v2/heartbeat"))
            _print_addresses(chosen)
            yield started
    finally:
        ownership.release()


def _check_ports(chosen: "Settings") -> None:
    """Raise NotStarted for a port that another program uses."""
    for name, host, port, setting in (
        ("the API", chosen.host, chosen.port, "PROMPTUARY_PORT"),
        ("the UI", chosen.host, chosen.ui_port, "PROMPTUARY_UI_PORT"),
        ("MLflow", LOOPBACK, chosen.mlflow_port, "PROMPTUARY_MLFLOW_PORT"),
    ):
        check_port(name, host, port, setting)


def _print_addresses(chosen: "Settings") -> None:
    print_line(f"API    http://{chosen.host}:{chosen.port}   (documentation at /docs)")
    print_line(f"UI     http://{chosen.host}:{chosen.ui_port}")
    print_line(f"MLflow http://{LOOPBACK}:{chosen.mlflow_port}")
    print_line(f"data   {chosen.data_dir}   (logs in logs/)")


def _programs(chosen: "Settings", chroma_port: int | None) -> list[Program]:
    """Return the programs to start: no Chroma without a port for it, no MLflow where another server tracks the runs."""
    command = [sys.executable, "-m", "promptuary.cli.main"]
    api_url = f"http://{chosen.host}:{chosen.port}"
    environment = {"PROMPTUARY_DATA_DIR": str(chosen.data_dir), "PROMPTUARY_HOST": chosen.host}
    programs = []
    if chroma_port is not None:
        programs.append(_chroma_program(chosen, chroma_port))
        environment["PROMPTUARY_CHROMA_URL"] = f"http://{LOOPBACK}:{chroma_port}"
    programs += [
        Program("api", [*command, "serve", "--port", str(chosen.port)], environment, f"{api_url}/readyz"),
        Program("worker", [*command, "worker"], environment),
        ui_program(chosen.host, chosen.ui_port, api_url),
    ]
    if not chosen.mlflow_tracking_uri:
        programs.append(_mlflow_program(chosen))
    return programs


def _chroma_program(chosen: "Settings", port: int) -> Program:
    data = str(chosen.data_dir / "chroma" / "data")
    serve_chroma = "from chromadb.cli.cli import app; app()"
    return Program(
        "chroma",
        [sys.executable, "-c", serve_chroma, "run", "--path", data, "--host", LOOPBACK, "--port", str(port)],
        {"ANONYMIZED_TELEMETRY": "false"},
        f"http://{LOOPBACK}:{port}/api/v2/heartbeat",
    )


def _mlflow_program(chosen: "Settings") -> Program:
    return Program(
        "mlflow",
        [
            *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
            *("--host", LOOPBACK, "--port", str(chosen.mlflow_port)),
            *("--backend-store-uri", chosen.tracking_uri),
            *("--artifacts-destination", str(chosen.data_dir / "mlartifacts")),
        ],
        {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        f"http://{LOOPBACK}:{chosen.mlflow_port}/health",
    )


def doctor(json: AsJson = False) -> None:
    """Check this installation; exit 1 where a check fails."""
    checks = list(_checks())
    if json:
        print_json([{"check": name, "ok": ok, "found": finding} for name, ok, finding in checks])
    else:
        print_table(["", "check", "found"], [("ok" if ok else "!!", name, finding) for name, ok, finding in checks])
    if not all(ok for _, ok, _ in checks):
        raise typer.Exit(1)


def _checks() -> Iterator[tuple[str, bool, str]]:
    chosen = load_settings()
    from promptuary.core.database import Database, sqlite_driver
    from promptuary.migrations.upgrade import HEAD, current_revision, upgrade
    from promptuary.operations.store import count_parked

    yield "python", sys.version_info >= (3, 11), sys.version.split()[0]
    version = sqlite_driver().sqlite_version
    safe = tuple(map(int, version.split("."))) >= (3, 51, 3)
    yield "sqlite", safe, version + ("" if safe else ": older than 3.51.3, which fixes a WAL corruption; install pysqlite3")
    database = Database(chosen.sql_url)
    try:
        upgrade(database)
        yield "database", current_revision(database) == HEAD, f"{database.dialect}, schema {current_revision(database)}"
        with database.read() as session:
            parked = count_parked(session)
        topics = ", ".join(f"{count} to {topic}" for topic, count in parked.items())
        yield "outbox", not parked, f"not delivered: {topics}; see `promptuary outbox list`" if parked else "nothing is parked"
    finally:
        database.dispose()
    chosen.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = not chosen.data_dir.stat().st_mode & 0o007
    yield "data directory", private, str(chosen.data_dir) + ("" if private else ": others may read it; chmod 700")
    free = shutil.disk_usage(chosen.data_dir).free // 2**20
    yield "disk", free > 1024, f"{free} MiB free"
    yield _check_descriptors(chosen.connection_limits)
    yield from _models()


def _check_descriptors(limits: "ConnectionLimits") -> tuple[str, bool, str]:
    """Check that a server may have a file descriptor for each connection; it raises the soft limit to the hard one itself."""
    from promptuary.http_server.limits import RESERVED_DESCRIPTORS, descriptor_limit

    descriptors, required = descriptor_limit(hard=True), limits.connections + RESERVED_DESCRIPTORS
    if descriptors >= required:
        return "open files", True, f"up to {descriptors} a process"
    remedy = f"raise the limit (`ulimit -Hn`, LimitNOFILE=) to {required}, or lower PROMPTUARY_CONNECTION_LIMIT"
    return "open files", False, f"up to {descriptors} a process, too few for {limits.connections} connections: {remedy}"


def _models() -> Iterator[tuple[str, bool, str]]:
    from promptuary.embedding.model import WEIGHTS, MiniLM
    from promptuary.models.local_server import LOCAL_MODELS

    for name, weights in {
        MiniLM.model: WEIGHTS,
        **{f"local:{name}": weights for name, weights in LOCAL_MODELS.items()},
    }.items():
        try:
            yield name, True, f"{weights.verified_path().name}, the published weights"
        except PromptuaryError as error:
            yield name, False, error.message
