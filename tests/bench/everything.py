"""Every benchmark, side by side in one run; `make bench` calls it.

    python -m bench.everything [--markdown FILE] [--json FILE]

Prints Markdown tables, and writes them and the figures where a file is named. Nothing here passes or fails.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import client, evaluation, first_lookup, local_model, lookup, mlflow_client, register, simulations, stream
from bench.serving import PROMPTS, VERSIONS, build

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]


def machine() -> str:
    """Name the machine's kind."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    kind = names[0] if names else platform.machine()
    return f"{kind}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def lookups() -> tuple[Table, Table]:
    """Measure lookups beside a bare app, few prompts beside many, and how soon writes are seen."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = build(Path(folder) / "few", 100), build(Path(folder) / "many")
        loads = [*lookup.throughput(many), *lookup.growth(few, many)]
        seen = lookup.freshness(few)
    shown = [
        (one.what, f"{one.rate:,.0f}", f"{one.rate_ratio:.2f}", f"{one.p50:.2f}", f"{one.p99:.2f}", f"{one.p99_ratio:.2f}")
        for one in loads
    ]
    title = (
        f"Lookups by label: one uvicorn worker, SQLite with {PROMPTS:,} prompts × {VERSIONS} versions, keys checked on every "
        f"request, {lookup.CONNECTIONS} connections of wrk, {lookup.ROUNDS} rounds in turn"
    )
    writes = [
        (one.where, f"{one.median:.1f}", f"{one.longest:.1f}", f"{one.outdated} of {one.writes + one.outdated}") for one in seen
    ]
    return (
        (title, ("", "requests/s", "ratio", "p50 ms", "p99 ms", "ratio of p99"), shown),
        ("A write seen by lookups, from its answer on", ("on", "median ms", "longest ms", "outdated lookups"), writes),
    )


def pushed() -> Table:
    """Measure how soon followers of the stream hear of a move."""
    heard = stream.measured()
    title = f"A label's move heard by {heard.clients} clients on the stream, {heard.moves} moves"
    row = (f"{heard.median:.0f}", f"{heard.p99:.0f}", f"{heard.longest:.0f}", f"{heard.answer:.0f}")
    return title, ("median ms", "p99 ms", "longest ms", "the move's own answer, ms"), [row]


def registering() -> Table:
    """Measure how many versions a second are registered."""
    shown = [(one.what, f"{one.rate:,.0f}", f"{one.ratio:.3f}") for one in register.rows()]
    return "Registering with full durability (`synchronous=FULL`, every version acknowledged)", ("", "a second", "ratio"), shown


def applications() -> Table:
    """Measure what the client costs, and MLflow's beside it."""
    shown = [(name, f"{value:,.2f}", unit) for name, value, unit in (*client.rows(), *mlflow_client.rows())]
    return "In the application's process, best of several rounds", ("", "", ""), shown


def starting() -> Table:
    """Measure from the start to the first lookup."""
    found = first_lookup.measured_in_turn()
    shown = [
        (name, f"{one['median']:.2f}", f"{one['seconds'][0]:.2f}–{one['seconds'][-1]:.2f}", f"{one['megabytes']:.0f}")
        for name, one in found.items()
    ]
    return (
        f"From the start to the first answered lookup, {first_lookup.ROUNDS} rounds",
        ("", "median s", "range s", "MB resident"),
        shown,
    )


def intervals() -> tuple[Table, Table]:
    """Measure what intervals and gates promise, over simulated suites."""
    held = [(name, f"{share:.3f}") for name, share in simulations.held()]
    passed = [(name, f"{share:.4f}") for name, share in simulations.passed()]
    suites = f"{simulations.FULL:,} simulated suites a setting"
    return (
        (f"95 % intervals that cover the truth, {suites}", ("", "share"), held),
        (
            f"A candidate worse by the gate's margin that the gate passes (at most 0.025 is meant), {suites}",
            ("", "share"),
            passed,
        ),
    )


def runs() -> tuple[Table, ...]:
    """Measure runs of suites: beside promptfoo, against a model's latency, and how memory grows."""
    speeds = evaluation.whole_processes()
    shown = [
        (one.what, f"{one.rate:,.0f}", f"{min(one.seconds):.2f}–{max(one.seconds):.2f}", f"{one.rate / speeds[-1].rate:.1f}")
        for one in speeds
    ]
    if len(speeds) == 1:
        shown.append(("promptfoo eval: not measured, for PROMPTFOO names no command", "", "", ""))
    through, sizes = evaluation.model_throughput(), evaluation.memory()
    title = (
        f"`eval run` as a whole process: {evaluation.CASES:,} cases, an echoing model, two deterministic scorers, everything "
        f"recorded durably and in MLflow, {evaluation.ROUNDS} rounds in turn"
    )
    behind = (
        f"A model of {evaluation.LATENCY * 1000:.0f} ms behind HTTP in another process, LangChain's OpenAI client, "
        f"{evaluation.MODEL_CASES:,} cases, {evaluation.CONCURRENCY} at once"
    )
    return (
        (title, ("", "cases/s", "range s", "ratio"), shown),
        (
            behind,
            ("answers/s", "of what the latency allows"),
            [(f"{through.outputs / through.seconds:,.0f}", f"{through.share:.1%}")],
        ),
        (
            "Runs of few and of many cases, upload and MLflow in it",
            ("cases", "seconds", "MB at most"),
            [(f"{one.cases:,}", f"{one.seconds:.1f}", f"{one.megabytes:.0f}") for one in sizes],
        ),
        (
            f"A run of {evaluation.MANY:,} cases, killed half-way",
            ("seconds from its resumption to the first new result",),
            [(f"{evaluation.resumption():.2f}",)],
        ),
    )


def tokens() -> Table:
    """Measure the local model's tokens a second, under a run and under a bare client."""
    title = (
        f"Tokens a second of the local model: {local_model.CASES} questions, {local_model.CONCURRENCY} at once, at most "
        f"{local_model.TOKENS} tokens each, {local_model.ROUNDS} rounds in turn"
    )
    shown = [(f"{run.rate:.0f}", f"{bare.rate:.0f}", f"{run.rate / bare.rate:.3f}") for run, bare in local_model.rates()]
    return title, ("under `eval run`", "a bare concurrent client", "ratio"), shown


def markdown(table: Table) -> str:
    """Write a table as Markdown."""
    title, head, rows = table
    lines = [f"**{title}**", "", f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def main() -> None:
    """Measure everything, print it, and write it where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    said = f"{machine()}; {datetime.now(UTC):%Y-%m-%d}"
    print(said, file=sys.stderr)
    tables: list[Table] = []
    for measure in (lookups, pushed, registering, applications, starting, intervals, runs, tokens):
        found: Any = measure()
        for table in found if isinstance(found[0], tuple) else (found,):
            tables.append(table)
            print(f"\n{markdown(table)}", flush=True)
    if given.markdown:
        head = "# Benchmarks\n\n`make bench` printed this on " + said + ". Ratios are to the reference of the same run.\n"
        given.markdown.write_text(head + "\n" + "\n".join(map(markdown, tables)), encoding="utf-8")
    if given.json:
        body = {"machine": said, "tables": [{"title": title, "head": head, "rows": rows} for title, head, rows in tables]}
        given.json.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
