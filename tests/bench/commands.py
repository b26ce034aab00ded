"""What a command costs without a server: the help, and a lookup on a data directory, beside an interpreter that does nothing.

Each round runs every command once, in turn. The figures are processor seconds of the whole process, which depend less on what
else the machine does than seconds on the wall.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 7
PROMPT = {"type": "chat", "template": [{"role": "user", "content": "Answer: {{question}}"}], "labels": ["production"]}
_PROMPTUARY = [sys.executable, "-m", "promptuary.cli.main"]
NOTHING = "python -c pass"
COMMANDS: Mapping[str, Sequence[str]] = {
    NOTHING: [sys.executable, "-c", "pass"],
    "promptuary --help": [*_PROMPTUARY, "--help"],
    "promptuary get": [*_PROMPTUARY, "get", "bench.answer"],
    "promptuary render": [*_PROMPTUARY, "render", "bench.answer", "--var", "question=why?"],
}


@dataclass(frozen=True)
class Cost:
    """The median processor seconds of a command, and its median ratio to an interpreter that does nothing."""

    what: str
    seconds: float
    ratio: float


def processor_seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run a command to its end, and return the processor seconds of its process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def measured_in_turn() -> list[Cost]:
    """Measure each command beside the interpreter, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PROMPTUARY_DATA_DIR": folder}
        environment.pop("PROMPTUARY_URL", None)
        file = Path(folder) / "answer.yaml"
        file.write_text(json.dumps(PROMPT))
        push = [*_PROMPTUARY, "push", str(file), "--name", "bench.answer"]
        subprocess.run(push, capture_output=True, check=True, env=environment)
        for command in COMMANDS.values():
            processor_seconds(command, environment)  # reads the files once
        rounds = [{what: processor_seconds(command, environment) for what, command in COMMANDS.items()} for _ in range(ROUNDS)]
    return [
        Cost(
            what,
            statistics.median(seconds[what] for seconds in rounds),
            statistics.median(seconds[what] / seconds[NOTHING] for seconds in rounds),
        )
        for what in COMMANDS
    ]


def main() -> None:
    """Measure the commands and print the figures."""
    print(f"processor seconds of a command, {ROUNDS} rounds")
    for cost in measured_in_turn():
        print(f"{cost.what:20} {cost.seconds:8.3f} s {cost.ratio:8.1f} ×")


if __name__ == "__main__":
    main()
