"""A disk that becomes full, and an MLflow server that is killed while runs are delivered to it."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from chaos.databases import GREET, VERSIONS, Load
from chaos.scenario import POSTGRESQL, SQLITE, Outcome, Place, Scenario
from factories.processes import free_port, wait_until_ready
from factories.served_process import PROMPTUARY, ServedProcess, served_process, wait_until
from promptuary.evaluation.tracking.mlflow_tracker import RUN_TAG

DISK_MIB, BALLAST_MIB = 16, 4
TEXT_CHARACTERS = 64_000
WRITES_LIMIT = 600
RUNS, CASES = 8, 20
EXPERIMENT = "promptuary/default/words"
NEW_MOUNTS, NEW_USERS = 0x20000, 0x10000000
"""Linux's numbers of the two namespaces, see unshare(2)."""


def _small_disk(folder: Path) -> Callable[[], None]:
    """Return what a process does to see a folder on a disk of its own, in memory, with the files of the folder and ballast."""

    def prepare() -> None:
        library, user, group = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
        if library.unshare(NEW_USERS | NEW_MOUNTS):
            raise OSError(ctypes.get_errno(), "this system allows no user namespaces, which the small disk needs")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        copy = folder.with_name("copy")
        shutil.copytree(folder, copy)
        if library.mount(b"none", os.fsencode(folder), b"tmpfs", 0, f"size={DISK_MIB}m".encode()):
            raise OSError(ctypes.get_errno(), "the small disk cannot be mounted")
        shutil.copytree(copy, folder, dirs_exist_ok=True)
        (folder / "ballast").write_bytes(bytes(BALLAST_MIB << 20))

    return prepare


def fill_the_disk(place: Place) -> Outcome:
    """Write until the disk is full and further on, then make room; lookups are answered all the time."""
    data, load = place.folder / "data", Load()
    with served_process(place.folder, prepare=_small_disk(data), **place.variables) as server:
        _write_until(server, load, lambda: load.statuses[507] >= 20)
        lookups = [server.client.get(GREET).status_code for _ in range(20)]
        Path(f"/proc/{server.process.pid}/root{data}/ballast").unlink()
        before = len(load.acknowledged)
        _write_until(server, load, lambda: len(load.acknowledged) >= before + 5)
        outcome = load.outcome(load.lost(server.client))
    outcome.responses["lookup 200"] = lookups.count(200)
    outcome.expect(load.statuses[507] >= 20, "a write on a full disk is answered with 507")
    outcome.expect(lookups.count(200) == len(lookups), "lookups are answered while the disk is full")
    outcome.expect(len(load.acknowledged) >= before + 5, "writes are accepted when there is room again")
    return outcome


def _write_until(server: ServedProcess, load: Load, reached: Callable[[], bool]) -> None:
    """Register long versions, until something is reached or too many were tried."""
    end = load.tried + WRITES_LIMIT
    while not reached() and load.tried < end:
        load.write(server.client, f"{load.tried} ".ljust(TEXT_CHARACTERS, "x"))


@contextmanager
def _mlflow(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run an MLflow server on a file of its own, and kill it when the block ends."""
    store = f"sqlite:///{folder / 'mlflow-server.db'}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port), "--workers", "1"]
    with (folder / "mlflow.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/health", process)
        yield process
    finally:
        _kill_group(process)


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process with those that it started, which have its group."""
    if process.poll() is None:
        os.killpg(process.pid, 9)
    process.wait()


def kill_mlflow(place: Place) -> Outcome:
    """Kill MLflow while runs end, start it again, and compare the runs that it has with those that were done."""
    port = free_port()
    variables = {**place.variables, "PROMPTUARY_MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    with served_process(place.folder, **variables) as server, _worker(server, place.folder):
        _prepare_runs(server.client)
        with _mlflow(place.folder, port) as mlflow:
            runs = [_start_run(server.client) for _ in range(RUNS // 2)]
            wait_until(lambda: _mlflow_runs(port), 120)
            _kill_group(mlflow)
        runs += [_start_run(server.client) for _ in range(RUNS - len(runs))]
        wait_until(lambda: all(_state(server.client, run) not in ("queued", "running") for run in runs), 120)
        states = Counter(f"run {_state(server.client, run)}" for run in runs)
        lookup = server.client.get(GREET).status_code
        with _mlflow(place.folder, port):
            wait_until(lambda: _mlflow_runs(port) >= set(runs), 240)
            lost = len(set(runs) - _mlflow_runs(port))
    outcome = Outcome(RUNS, len(runs), lost, states)
    outcome.expect(lookup == 200, "lookups are answered while MLflow is away")
    return outcome


@contextmanager
def _worker(server: ServedProcess, folder: Path) -> Iterator[None]:
    """Run a worker beside a server."""
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen([*PROMPTUARY, "worker"], env=server.environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _prepare_runs(client: httpx.Client) -> None:
    """Register a prompt, a dataset and a suite of them."""
    client.post(VERSIONS, json={"type": "text", "template": "{{q}}", "labels": ["production"]}).raise_for_status()
    cases = [{"id": f"c{number}", "vars": {"q": f"word {number}"}} for number in range(CASES)]
    client.post("/v1/datasets/words/versions", json={"cases": cases}).raise_for_status()
    suite = {"name": "words", "prompt": "greet", "dataset": "words", "models": ["echo:"]}
    scorers = [{"type": "contains", "value": "word"}]
    client.put("/v1/suites/words", json={**suite, "scorers": scorers}).raise_for_status()


def _start_run(client: httpx.Client) -> str:
    return str(client.post("/v1/runs", json={"suite": "words"}).raise_for_status().json()["id"])


def _state(client: httpx.Client, run: str) -> Any:
    return client.get(f"/v1/runs/{run}").raise_for_status().json()["state"]


def _mlflow_runs(port: int) -> set[str]:
    """Return the ids of the runs that MLflow has."""
    api = f"http://127.0.0.1:{port}/api/2.0/mlflow"
    response = httpx.get(f"{api}/experiments/get-by-name", params={"experiment_name": EXPERIMENT}, timeout=60)
    if response.status_code == 404:
        return set()
    experiment = response.raise_for_status().json()["experiment"]["experiment_id"]
    body = {"experiment_ids": [experiment], "max_results": 1000}
    runs = httpx.post(f"{api}/runs/search", json=body, timeout=60).raise_for_status().json().get("runs", ())
    return {tag["value"] for run in runs for tag in run["data"]["tags"] if tag["key"] == RUN_TAG}


SCENARIOS = (
    Scenario("disk full, then room again", fill_the_disk, (SQLITE,)),
    Scenario("MLflow killed, started again", kill_mlflow, (SQLITE, POSTGRESQL)),
)
