"""Runs of suites as whole processes: cases a second beside promptfoo's, memory, resumption.

    PROMPTFOO=…/node_modules/.bin/promptfoo python -m bench.evaluation

Everything is recorded as for any user: results with full durability before the process ends; the copy in MLflow is queued then,
and delivered by a process that the command leaves behind.
"""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

CASES, ROUNDS = 2000, 3
MODEL_CASES, CONCURRENCY, LATENCY = 5000, 64, 0.05
FEW, MANY = 10_000, 100_000
PROMPTFOO = os.environ.get("PROMPTFOO")
_COMMAND = "import sys; from promptuary.cli.main import main\ntry:\n    main()\nfinally:\n"
# Not getrusage's value: it includes the memory of the process that forked this one.
_PEAK = "    print('peak', open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)\n"


@dataclass(frozen=True)
class Place:
    """A data directory with a prompt in it, and suites beside it."""

    folder: Path
    environment: dict[str, str]

    @classmethod
    def create(cls, folder: Path, **more: str) -> "Place":
        """Create the directory, its prompt and its database."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTUARY_")}
        place = cls(folder, environment | {"PROMPTUARY_DATA_DIR": str(folder / "data"), **more})
        prompt = folder / "prompts" / "echo.yaml"
        prompt.parent.mkdir(parents=True)
        prompt.write_text('type: text\nformat: mustache\ntemplate: "{{text}}"\nmessage: for the benchmark\n')
        place.run("init")
        place.run("sync", "apply", str(prompt.parent))
        return place

    def suite(self, cases: int, model: str = "echo:", concurrency: int = CONCURRENCY) -> Path:
        """Write a suite with two deterministic scorers, and its cases."""
        name = f"cases-{cases}"
        with (self.folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(case(number)) + "\n" for number in range(cases))
        body = {
            "name": name,
            "prompt": "echo",
            "dataset": f"{name}.jsonl",
            "models": [model],
            "concurrency": concurrency,
            "scorers": [{"type": "equals", "value": "{{expected}}"}, {"type": "contains", "value": "card"}],
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(body))
        return path

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the command line."""
        command = [sys.executable, "-c", _COMMAND + _PEAK, *arguments]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=self.environment, cwd=self.folder, **pipes)

    def run(self, *arguments: str) -> tuple[float, float]:
        """Run the command line to its end; return seconds, and the peak of its memory in MB."""
        started = time.perf_counter()
        process = self.start(*arguments)
        output, errors = process.communicate()
        seconds = time.perf_counter() - started
        if process.returncode != 0:
            raise RuntimeError(f"promptuary {' '.join(arguments)} ended with {process.returncode}: {output}{errors}")
        return seconds, int(errors.rsplit("peak ", 1)[1]) / 1024

    def query(self, statement: str, *values: Any) -> Any:
        """Return one value from the database."""
        with closing(sqlite3.connect(self.folder / "data" / "promptuary.db")) as connection:
            return connection.execute(statement, values).fetchone()[0]


def case(number: int) -> dict[str, Any]:
    """Return the JSON of a case; two of three have the expected output."""
    right = f"ticket {number}: my card has not come, yes"
    return {"id": f"c{number}", "vars": {"text": right if number % 3 else f"ticket {number}: my card, no"}, "expected": right}


@dataclass(frozen=True)
class Speed:
    """The same cases in whole processes.

    Attributes:
        what: the command.
        seconds: how long each process took.
        processor: seconds of the processor, of each with the processes that it waits for.
        visible: seconds from the start until MLflow had the run.
    """

    what: str
    seconds: Sequence[float]
    processor: Sequence[float]
    visible: Sequence[float] = ()

    @property
    def rate(self) -> float:
        """Cases a second, by the median."""
        return CASES / median(self.seconds)


def whole_processes() -> list[Speed]:
    """Run the same cases through promptuary and promptfoo, in turn."""
    promptuary_seconds: list[float] = []
    promptuary_processor: list[float] = []
    visible_seconds: list[float] = []
    promptfoo_seconds: list[float] = []
    promptfoo_processor: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Place.create(Path(folder))
        suite = place.suite(CASES)
        config = _promptfoo(Path(folder))
        for _ in range(ROUNDS):
            started, used = time.perf_counter(), processor_of_children()
            promptuary_seconds.append(place.run("eval", "run", str(suite))[0])
            promptuary_processor.append(processor_of_children() - used)
            _until(lambda: place.query("SELECT count(*) FROM run WHERE tracking_id IS NULL") == 0)
            visible_seconds.append(time.perf_counter() - started)
            if PROMPTFOO:
                used = processor_of_children()
                promptfoo_seconds.append(_timed_promptfoo(Path(folder), config))
                promptfoo_processor.append(processor_of_children() - used)
    speeds = [Speed("promptuary eval run", promptuary_seconds, promptuary_processor, visible_seconds)]
    if promptfoo_seconds:
        speeds.append(Speed(f"promptfoo eval {_promptfoo_version()}", promptfoo_seconds, promptfoo_processor))
    return speeds


def processor_of_children() -> float:
    """Return the seconds of the processor of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _promptfoo_version() -> str:
    assert PROMPTFOO
    return subprocess.run([PROMPTFOO, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def _promptfoo(folder: Path) -> Path:
    tests = [
        {
            "vars": case_body["vars"],
            "assert": [{"type": "equals", "value": case_body["expected"]}, {"type": "contains", "value": "card"}],
        }
        for case_body in map(case, range(CASES))
    ]
    path = folder / "promptfooconfig.json"
    path.write_text(json.dumps({"prompts": ["{{text}}"], "providers": ["echo"], "tests": tests}))
    return path


def _timed_promptfoo(folder: Path, config: Path) -> float:
    assert PROMPTFOO
    silent = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1"}
    command = [PROMPTFOO, "eval", "-c", str(config), "--no-cache", "--no-table", "-j", str(CONCURRENCY)]
    environment = os.environ | silent | {"PROMPTFOO_CONFIG_DIR": str(folder / "promptfoo")}
    for _ in range(ROUNDS):  # now and then it ends in its own logger
        started = time.perf_counter()
        process = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if process.returncode in (0, 100):  # 100: some cases failed, as they are meant to
            return time.perf_counter() - started
    raise RuntimeError(f"promptfoo ended with {process.returncode}: {process.stderr[-2000:]}")


@dataclass(frozen=True)
class Size:
    """The seconds and memory of a run."""

    cases: int
    seconds: float
    megabytes: float


def memory() -> list[Size]:
    """Run few cases and many, each in its own process; the upload is included."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place.create(Path(folder))
        return [Size(cases, *place.run("eval", "run", str(place.suite(cases)))) for cases in (FEW, MANY)]


def resumption() -> float:
    """Kill a long run half-way; return the seconds from the start of its resumption to the first new result."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place.create(Path(folder), PROMPTUARY_LEASE_SECONDS="5")
        process = place.start("eval", "run", str(place.suite(MANY)))
        _until(lambda: _done(place) > MANY // 2)
        process.kill()
        process.communicate()
        run, before = place.query("SELECT id FROM run"), _done(place)
        time.sleep(6)  # until the lease of the process that was killed is over
        started = time.perf_counter()
        process = place.start("eval", "run", f"cases-{MANY}", "--resume", run)
        _until(lambda: _done(place) > before)
        seconds = time.perf_counter() - started
        process.kill()
        process.communicate()
        return seconds


def _done(place: Place) -> int:
    try:
        return int(place.query("SELECT coalesce(max(done), 0) FROM run"))
    except sqlite3.OperationalError:  # it is being written
        return 0


def _until(reached: Any) -> None:
    while not reached():
        time.sleep(0.005)


def main() -> None:
    """Measure everything and print it."""
    for speed in whole_processes():
        print(
            f"{speed.what}: {speed.rate:,.0f} cases/s ({', '.join(f'{seconds:.2f}' for seconds in speed.seconds)} s)",
            flush=True,
        )
    if not PROMPTFOO:
        print("promptfoo: not measured; PROMPTFOO names no command")
    for size in memory():
        print(f"{size.cases:,} cases: {size.seconds:.1f} s, {size.megabytes:.0f} MB", flush=True)
    print(f"first new result {resumption():.2f} s after a resumption")


if __name__ == "__main__":
    main()
