"""Every benchmark, side by side in one run; `make bench` calls it.

    python -m bench.everything [--markdown FILE] [--json FILE]

Prints Markdown tables, and writes them and the figures to the files that are named. Nothing here passes or fails.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import (
    agreement,
    audit,
    claims,
    client,
    commands,
    corrections,
    evaluation,
    first_lookup,
    local_model,
    lookup,
    mcp_prompts,
    mlflow_client,
    model_calls,
    register,
    review,
    similar,
    simulations,
    stream,
    traffic,
    traffic_page,
)
from bench.serving import PROMPTS, VERSIONS, build

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]


def machine() -> str:
    """Return the processor, the number of cores, the system and the Python version."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    processor = names[0] if names else platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def lookups() -> tuple[Table, Table]:
    """Measure lookups beside a bare app, few prompts beside many, and the delay until lookups show a write."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = build(Path(folder) / "few", 100), build(Path(folder) / "many")
        loads = [*lookup.throughput(many), *lookup.growth(few, many)]
        delays = lookup.freshness(few)
    rows = [
        (row.what, f"{row.rate:,.0f}", f"{row.rate_ratio:.2f}", f"{row.p50:.2f}", f"{row.p99:.2f}", f"{row.p99_ratio:.2f}")
        for row in loads
    ]
    title = (
        f"Lookups by label: one uvicorn worker, SQLite with {PROMPTS:,} prompts × {VERSIONS} versions, keys checked on every "
        f"request, {lookup.CONNECTIONS} connections of wrk, {lookup.ROUNDS} rounds in turn"
    )
    writes = [
        (delay.where, f"{delay.median:.1f}", f"{delay.longest:.1f}", f"{delay.outdated} of {delay.writes + delay.outdated}")
        for delay in delays
    ]
    return (
        (title, ("", "requests/s", "ratio", "p50 ms", "p99 ms", "ratio of p99"), rows),
        ("A write seen by lookups, from its answer on", ("on", "median ms", "longest ms", "outdated lookups"), writes),
    )


def pushes() -> Table:
    """Measure the delay until the followers of the stream receive a label's move."""
    delay = stream.measured()
    title = f"A label's move heard by {delay.clients} clients on the stream, {delay.moves} moves"
    row = (f"{delay.median:.0f}", f"{delay.p99:.0f}", f"{delay.longest:.0f}", f"{delay.response:.0f}")
    return title, ("median ms", "p99 ms", "longest ms", "the move's own answer, ms"), [row]


def rendering() -> Table:
    """Measure rendering over the Model Context Protocol beside the rendering route."""
    rows = [(row.what, f"{row.p50:.2f}", f"{row.p99:.2f}", f"{row.p99_ratio:.2f}") for row in mcp_prompts.measured()]
    title = f"Rendering on one connection, {mcp_prompts.REQUESTS:,} requests each, in turn"
    return title, ("", "p50 ms", "p99 ms", "ratio of p99"), rows


def registering() -> Table:
    """Measure the versions registered a second."""
    rows = [(row.what, f"{row.rate:,.0f}", f"{row.ratio:.3f}") for row in register.rows()]
    return "Registering with full durability (`synchronous=FULL`, every version acknowledged)", ("", "a second", "ratio"), rows


def applications() -> Table:
    """Measure the cost of the client, and of MLflow's beside it."""
    rows = [(name, f"{value:,.2f}", unit) for name, value, unit in (*client.rows(), *mlflow_client.rows())]
    return "In the application's process, best of several rounds", ("", "", ""), rows


def starting() -> Table:
    """Measure the time from the start to the first lookup."""
    rows = [
        (start.what, f"{start.median:.2f}", f"{start.seconds[0]:.2f}–{start.seconds[-1]:.2f}", f"{start.megabytes:.0f}")
        for start in first_lookup.measured_in_turn()
    ]
    return (
        f"From the start to the first answered lookup, {first_lookup.ROUNDS} rounds",
        ("", "median s", "range s", "MB resident"),
        rows,
    )


def commanding() -> Table:
    """Measure the processor time of commands without a server."""
    rows = [(cost.what, f"{cost.seconds:.3f}", f"{cost.ratio:.0f}") for cost in commands.measured_in_turn()]
    title = f"Commands without a server, whole processes, {commands.ROUNDS} rounds in turn"
    return title, ("", "processor s", "ratio"), rows


def intervals() -> tuple[Table, ...]:
    """Measure the coverage of intervals and the false passes of gates over simulated suites."""
    covered = [(name, f"{share:.3f}") for name, share in simulations.covered()]
    passed = [(name, f"{share:.4f}") for name, share in simulations.passed()]
    corrected = [
        (name, f"{figures.share:.3f}", f"{figures.width:.3f}", f"{figures.labels_width:.3f}")
        for name, figures in corrections.corrected()
    ]
    sampled = [(name, f"{share:.3f}") for name, share in simulations.sampled()]
    halved = [(name, "" if ratio is None else f"{ratio:.2f}") for name, ratio in corrections.halved()]
    suites = f"{simulations.FULL:,} simulated suites a setting"
    return (
        (f"95 % intervals that cover the truth, {suites}", ("", "share"), covered),
        (
            f"A candidate worse by the gate's margin that the gate passes (at most 0.025 is meant), {suites}",
            ("", "share"),
            passed,
        ),
        (
            f"95 % intervals of a judge's mean, corrected by 50 to 400 labels, that cover the truth, {suites}",
            ("", "share", "width", "width without the judge"),
            corrected,
        ),
        (
            f"95 % intervals of sampled calls that cover the truth, {simulations.FULL:,} simulated productions a setting",
            ("", "share"),
            sampled,
        ),
        ("Predicted labels that halve such an interval, over those that do, median", ("", "ratio"), halved),
    )


def runs() -> tuple[Table, ...]:
    """Measure runs of suites: beside promptfoo, against a model's latency, and the growth of memory."""
    speeds = evaluation.whole_processes()
    rows = [
        (
            speed.what,
            f"{speed.rate:,.0f}",
            f"{min(speed.seconds):.2f}–{max(speed.seconds):.2f}",
            f"{speed.rate / speeds[-1].rate:.1f}",
            f"{median(speed.processor):.2f}",
            f"{median(speed.visible):.2f}" if speed.visible else "",
        )
        for speed in speeds
    ]
    if len(speeds) == 1:
        rows.append(("promptfoo eval: not measured; PROMPTFOO=…/node_modules/.bin/promptfoo names it", "", "", "", "", ""))
    sizes = evaluation.memory()
    title = (
        f"`eval run` as a whole process: {evaluation.CASES:,} cases, an echoing model, two deterministic scorers, everything "
        f"recorded durably and queued for MLflow, {evaluation.ROUNDS} rounds in turn; without a worker, a process "
        "that the command leaves behind delivers it to MLflow"
    )
    return (
        (title, ("", "cases/s", "range s", "ratio", "processor s", "s until it is in MLflow"), rows),
        (
            "Runs of few and of many cases, upload and MLflow in it",
            ("cases", "seconds", "MB at most"),
            [(f"{size.cases:,}", f"{size.seconds:.1f}", f"{size.megabytes:.0f}") for size in sizes],
        ),
        (
            f"A run of {evaluation.MANY:,} cases, killed half-way",
            ("seconds from its resumption to the first new result",),
            [(f"{evaluation.resumption():.2f}",)],
        ),
    )


def calls() -> Table:
    """Measure calls of a model behind HTTP, beside a bare client's."""
    title = (
        f"A model of {evaluation.LATENCY * 1000:.0f} ms behind HTTP in another process, {evaluation.MODEL_CASES:,} cases, "
        "beside a bare aiohttp client that makes the same calls: it encodes and decodes JSON, and has no prompts, cache, "
        "prices, limits, scorers or database"
    )
    rows = [
        (
            f"{call.in_flight}",
            f"{call.rate:,.0f}",
            f"{call.bare_rate:,.0f}",
            f"{call.rate / call.bare_rate:.2f}",
            f"{call.processor_ms:.2f}",
            f"{call.bare_processor_ms:.2f}",
        )
        for call in map(model_calls.measured, model_calls.IN_FLIGHT)
    ]
    return title, ("in flight", "answers/s", "bare client", "ratio", "processor ms a case", "bare client"), rows


def similarity() -> Table:
    """Measure the texts a second of the scorer `similar`, beside the bare embedding model's."""
    rates = similar.measured()
    title = f"The scorer `similar` over {similar.PAIRS:,} pairs on the echoing model, {similar.CONCURRENCY} cases in flight"
    row = (f"{rates.run:,.0f}", f"{rates.bare:,.0f}", f"{rates.run / rates.bare:.2f}")
    return title, ("texts/s", "the bare model, all texts at once", "ratio"), [row]


def auditing() -> Table:
    """Measure the verification of a long audit chain."""
    rows = [(each.what, f"{each.rows:,}", f"{each.seconds:.1f}", f"{each.processor:.1f}") for each in audit.measured()]
    return "Verifying an audit chain against a kept head", ("on", "rows", "seconds", "of the processor"), rows


def reviewing() -> Table:
    """Measure the delay from a reviewer's key press to the next item."""
    rows = [(delay.what, f"{delay.p50:.1f}", f"{delay.p95:.1f}") for delay in review.measured()]
    title = f"From a key press in the review card, {review.PRESSES} presses in Chromium, {review.ITEMS:,} items queued"
    return title, ("until", "p50 ms", "p95 ms"), rows


def sitting() -> Table:
    """Measure some minutes of one reviewer in a browser beside others; an error is a call that failed or a lost comment."""
    figures = review.measured_sitting(review.MINUTES)
    title = (
        f"{review.MINUTES} minutes of a reviewer in Chromium beside {review.OTHERS} over REST, {review.ITEMS:,} items queued: "
        f"{figures.in_browser:,} decisions in the browser and {figures.over_rest:,} over REST, all stored with their comments"
    )
    rows = [(delay.what, f"{delay.p50:.1f}", f"{delay.p95:.1f}") for delay in figures.delays]
    return title, ("from a key press until", "p50 ms", "p95 ms"), rows


def claiming() -> Table:
    """Measure many reviewers at once on one queue, on each database."""
    rows = [
        (each.database, f"{each.claims:,}", f"{each.undone:,}", f"{each.violations}", f"{each.rate:.0f}")
        for each in claims.measured()
    ]
    title = f"{claims.CLAIMERS} reviewers at once on {claims.ITEMS:,} items of {claims.SLOTS} slots, through a server"
    return title, ("on", "claims", "undone", "items twice or beyond their slots", "decisions/s"), rows


def agreeing() -> Table:
    """Measure the figures of agreement on each type of label."""
    rows = [(delay.what, f"{delay.seconds:.2f}", f"{delay.processor:.2f}") for delay in agreement.measured()]
    title = f"All figures of agreement on one label: {agreement.ITEMS:,} items, {agreement.REVIEWERS} reviewers"
    return title, ("", "seconds", "of the processor"), rows


def tokens() -> Table:
    """Measure the local model's tokens a second, under a run and under a bare client."""
    title = (
        f"Tokens a second of the local model: {local_model.CASES} questions, {local_model.CONCURRENCY} at once, at most "
        f"{local_model.TOKENS} tokens each, {local_model.ROUNDS} rounds in turn"
    )
    rows = [(f"{run.rate:.0f}", f"{bare.rate:.0f}", f"{run.rate / bare.rate:.3f}") for run, bare in local_model.rates()]
    return title, ("under `eval run`", "a bare concurrent client", "ratio"), rows


def producing() -> tuple[Table, ...]:
    """Measure the intake of production calls: its speed, the lookups beside it, and the size of the database."""
    with tempfile.TemporaryDirectory() as folder:
        data = build(Path(folder))
        rate = traffic.intake(data)
        latencies = traffic.lookups_beside(data)
    ratio = f"{latencies[1].p99 / latencies[0].p99:.2f}"
    sizes = traffic.sizes()
    trace = f"traces of {traffic.SPANS_A_TRACE} spans with a call of 2 to 4 kB, {traffic.SPANS_A_REQUEST} spans a request"
    return (
        (
            f"Spans taken over OTLP (protobuf): {trace}, {traffic.SENDERS} senders on the same machine, SQLite",
            ("spans", "spans/s"),
            [(f"{rate.spans:,}", f"{rate.rate:,.0f}")],
        ),
        (
            f"Lookups at {traffic.LOOKUPS_A_SECOND} a second, while spans come in",
            ("", "p50 ms", "p99 ms", "ratio of p99"),
            [
                (latencies[0].what, f"{latencies[0].p50:.2f}", f"{latencies[0].p99:.2f}", "1.00"),
                (latencies[1].what, f"{latencies[1].p50:.2f}", f"{latencies[1].p99:.2f}", ratio),
            ],
        ),
        (
            f"The database's size, measured with {traffic.CALLS:,} calls over a day, after their wait",
            ("", "bytes a call", f"MB at {traffic.PROJECTED_CALLS:,} calls"),
            [
                (size.what, f"{size.bytes_a_call:,.0f}", f"{size.bytes_a_call * traffic.PROJECTED_CALLS / 1e6:,.0f}")
                for size in sizes
            ],
        ),
    )


def reading_traffic() -> Table:
    """Measure the queries of the traffic page."""
    rows = [(query.what, f"{query.rows:,}", f"{query.seconds * 1000:.0f}") for query in traffic_page.measured()]
    return "The queries of the traffic page over 30 days", ("", "rows of counters", "ms"), rows


def measured_or_failed(measure: Callable[[], Any]) -> Any:
    """Return the tables of a measurement; one that states the error if it fails, so that the others are still made."""
    started = time.perf_counter()
    try:
        tables: Any = measure()
    except Exception as error:  # whatever it is
        tables = (f"Not measured: {measure.__name__}", ("error",), [(" ".join(f"{type(error).__name__}: {error}".split()),)])
    print(f"{measure.__name__}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return tables


def markdown(table: Table) -> str:
    """Return a table as Markdown."""
    title, head, rows = table
    lines = [f"**{title}**", "", f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def main() -> None:
    """Measure everything, print it, and write it to the files that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    place = f"{machine()}; {datetime.now(UTC):%Y-%m-%d}"
    print(place, file=sys.stderr)
    tables: list[Table] = []
    for measure in (
        lookups,
        pushes,
        rendering,
        registering,
        applications,
        starting,
        commanding,
        intervals,
        runs,
        calls,
        similarity,
        auditing,
        reading_traffic,
        reviewing,
        sitting,
        claiming,
        agreeing,
        tokens,
        producing,
    ):
        result: Any = measured_or_failed(measure)
        for table in result if isinstance(result[0], tuple) else (result,):
            tables.append(table)
            print(f"\n{markdown(table)}", flush=True)
    if arguments.markdown:
        head = "# Benchmarks\n\n`make bench` printed this on " + place + ". Ratios are to the reference of the same run.\n"
        arguments.markdown.write_text(head + "\n" + "\n".join(map(markdown, tables)), encoding="utf-8")
    if arguments.json:
        body = {"machine": place, "tables": [{"title": title, "head": head, "rows": rows} for title, head, rows in tables]}
        arguments.json.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
