"""The demo's traffic: an application reports its calls and people's feedback, and a candidate replays them."""

import json
import random
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from promptuary.cli.connection import ApiClient, connect
from promptuary.cli.evaluation.runs import app as eval_app
from promptuary.cli.output import print_line
from promptuary.cli.service import commands as service
from promptuary.cli.service.processes import Program, free_port, run_programs
from promptuary.cli.traffic.commands import app as traffic_app
from promptuary.core.clock import wall_clock

if TYPE_CHECKING:
    from promptuary.client import Promptuary
    from promptuary.core.settings import Settings

PROMPT, LABEL, CANDIDATE, DATASET = "support.triage", "production", "staging", "support.real"
SUITE = "support_production.yaml"
KEY = "demo-application"
CALLS, CUSTOMERS, SEED = 120, 40, 7
SAMPLE, WAIT_SECONDS = 0.25, 5
RATED, RATED_LATE = 0.4, 0.1
"""Shares of the calls on which people give feedback at once, and after the end of the wait."""
TOKENS = 6
"""What an intent needs at most: the application limits its calls to it."""
FLUSH_SECONDS, LOOKUP_SECONDS = 60.0, 30.0


@dataclass(frozen=True)
class Ticket:
    """What a customer asks, and which feedback comes of it.

    Attributes:
        customer: the end user's id.
        text: of the ticket.
        intent: the right answer.
        is_rated: whether somebody gives feedback at once.
        is_rated_late: whether somebody gives it after the wait.
    """

    customer: str
    text: str
    intent: str
    is_rated: bool
    is_rated_late: bool


@dataclass(frozen=True)
class AnsweredTicket:
    """A ticket with the model's answer, and the id by which feedback names the call."""

    ticket: Ticket
    answer: str
    call: str

    @property
    def value(self) -> float:
        """What a person thinks of the answer: 1 for the intent, 0.5 for an answer with a word of it, else 0."""
        if self.answer.strip() == self.ticket.intent:
            return 1.0
        return 0.5 if any(word in self.answer.lower() for word in self.ticket.intent.split("_")) else 0.0


def show_traffic(evals: Path) -> None:
    """Send calls and feedback to a running service, then print its figures, its sample, a dataset and a replay on version 2."""
    print_line(f"6. Traffic: {CALLS} tickets of customers, which version 1 answers in production")
    since = wall_clock().replace(microsecond=0).isoformat().replace("+00:00", "Z")
    _run(traffic_app, "promptuary traffic settings set", f"sample={SAMPLE}", f"wait={WAIT_SECONDS}")
    with connect() as api, _application_key(api) as key, _server() as url:
        from promptuary.client import Promptuary

        with Promptuary(url, key, deadline=LOOKUP_SECONDS, follow=False, disk=False) as application:
            _report(application, draw_tickets(evals / "datasets" / "tickets.jsonl"))
    _run(traffic_app, "promptuary traffic show", PROMPT, "--since", since)
    with connect() as api:
        query: dict[str, Any] = {"prompt": PROMPT, "from": since}
        _describe_sample(list(api.items("/observations", **query)))
    _run(traffic_app, "promptuary traffic to-dataset", PROMPT, DATASET, "--since", since)
    print_line("   Version 2 on the same calls, each weighted by how many calls of production it stands for:")
    suite = str(evals / SUITE)
    _run(eval_app, "promptuary eval run", suite, "--from-traffic", since, "--candidate", CANDIDATE)


def _run(app: typer.Typer, command: str, *words: str) -> None:
    """Print a command as a user types it, and run it in this process."""
    print_line(f"   $ {command} {shlex.join(words)}")
    sys.stdout.flush()
    group = typer.main.get_command(app)
    group.main([*command.split()[2:], *words], prog_name=" ".join(command.split()[:2]), standalone_mode=False)


@contextmanager
def _application_key(api: ApiClient) -> Iterator[str]:
    """Create the key of an application, and revoke it at the end."""
    key = api.post("/keys", {"name": KEY, "role": "service"})
    try:
        yield str(key["key"])
    finally:
        api.delete(f"/keys/{key['id']}")


@contextmanager
def _server() -> Iterator[str]:
    """Run the API on a free port, and return its address."""
    settings, port = service.load_settings(), free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "promptuary.cli.main", "serve", "--host", "127.0.0.1", "--port", str(port)]
    program = Program("api", command, {"PROMPTUARY_DATA_DIR": str(settings.data_dir)}, f"{url}/readyz")
    with run_programs([program], settings.data_dir / "logs"):
        yield url


def draw_tickets(path: Path) -> list[Ticket]:
    """Draw what customers ask from the cases of a dataset, always the same for the same cases."""
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    draw = random.Random(SEED)
    tickets = []
    for _ in range(CALLS):
        case, customer, rating = draw.choice(cases), draw.randrange(CUSTOMERS), draw.random()
        is_rated, is_late = rating < RATED, RATED <= rating < RATED + RATED_LATE
        tickets.append(Ticket(f"customer-{customer}", case["vars"]["ticket"], case["expected"], is_rated, is_late))
    return tickets


def _report(application: "Promptuary", tickets: Sequence[Ticket]) -> None:
    """Answer tickets as an application does, and report the calls and the feedback on them; some of it after the wait."""
    from promptuary.models.chat_models import ChatModels

    settings = service.load_settings()
    began = time.monotonic()
    with ChatModels(settings) as models, ThreadPoolExecutor(settings.concurrency) as pool:
        answered = list(pool.map(lambda ticket: _answer(application, models, ticket), tickets))
    application.flush(FLUSH_SECONDS)
    seconds = time.monotonic() - began
    rated = sum(each.ticket.is_rated for each in answered)
    print_line(f"   {len(answered)} calls in {seconds:.0f} s through the client, and feedback on {rated} of them at once")
    time.sleep(WAIT_SECONDS + 1)
    _end_wait(settings)
    late = [each for each in answered if each.ticket.is_rated_late]
    prompt = application.get(PROMPT, label=LABEL)
    for each in late:
        application.feedback(prompt, value=each.value, observation=each.call, comment="after the wait")
    application.flush(FLUSH_SECONDS)
    sent = application.traffic
    print_line(f"   then late feedback on {len(late)}; sent {sent.sent} reports, dropped {sum(sent.dropped.values())}")


def _answer(application: "Promptuary", models: Any, ticket: Ticket) -> AnsweredTicket:
    prompt = application.get(PROMPT, label=LABEL, targeting_key=ticket.customer)
    messages = prompt.render(ticket=ticket.text)
    chat = models.chat("local:smollm2", {"temperature": 0, "max_tokens": TOKENS})
    began = time.monotonic()
    reply = chat.invoke(messages)
    usage: Mapping[str, int] = reply.usage_metadata or {}
    call = application.observe(
        prompt,
        variables={"ticket": ticket.text},
        input=messages,
        output=reply.content,
        model="smollm2",
        latency_ms=(time.monotonic() - began) * 1000,
        tokens={"input": usage.get("input_tokens"), "output": usage.get("output_tokens")},
        user=ticket.customer,
    )
    answered = AnsweredTicket(ticket, str(reply.content), call)
    if ticket.is_rated:
        application.feedback(prompt, value=answered.value, observation=call)
    return answered


def _end_wait(settings: "Settings") -> None:
    """Decide which calls stay in the sample, as a worker does when their wait is over."""
    from promptuary.traffic.intake.settling.settling import SampleSettling
    from promptuary.traffic.redaction.hook import build_redactor
    from promptuary.worker.database import open_worker_database

    database = open_worker_database(settings)
    try:
        settling = SampleSettling(database, wall_clock, settings, build_redactor(settings))
        while settling.step():
            pass
    finally:
        database.dispose()


def _describe_sample(calls: Sequence[Any]) -> None:
    """Print how many calls each stratum of the sample has, and for how many calls of production they stand."""
    probabilities: dict[str, list[float]] = defaultdict(list)
    for call in calls:
        probabilities[call["stratum"]].append(call["probability"])
    weight = sum(1 / call["probability"] for call in calls)
    print_line(f"   The sample: {len(calls)} calls with their contents, redacted; by weight they stand for {weight:.0f} calls")
    for stratum, each in sorted(probabilities.items()):
        low, high = min(each), max(each)
        probability = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
        print_line(f"     {stratum}: {len(each)} calls, each stored with probability {probability}")
