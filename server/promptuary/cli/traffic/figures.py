"""`promptuary traffic show`: what a prompt's calls were counted as, and calls without a prompt."""

from typing import Annotated, Any

import typer

from promptuary.cli.connection import connect, path_segment
from promptuary.cli.output import AsJson, Project, print_json, print_line, print_table
from promptuary.cli.traffic.periods import since as parse_since

_KEYS = ("prompt", "reason", "version", "label", "variant", "model", "at")


def show(
    prompt: Annotated[str | None, typer.Argument(help="The prompt; without one, the whole project.")] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="What calls are divided by: version, label, variant, model, reason, and hour or day."),
    ] = None,
    since: Annotated[str, typer.Option("--since", help="How long ago, such as 7d or 12h, or when.")] = "30d",
    until: Annotated[str | None, typer.Option("--until", help="How long ago, or when; now by default.")] = None,
    project: Project = None,
    json: AsJson = False,
) -> None:
    """Show calls, errors, latency, tokens, cost and feedback; without a prompt, also the calls whose prompt is unknown."""
    query: dict[str, Any] = {"from": parse_since(since)}
    query |= {"to": parse_since(until)} if until else {}
    query |= {"by": by} if by else {}
    path = "/traffic" if prompt is None else f"/prompts/{path_segment(prompt)}/traffic"
    with connect(project) as api:
        traffic = api.get(path, **query)
    if json:
        print_json(traffic)
        return
    print_line(f"{traffic['total']['calls']:,} calls from {traffic['from']} to {traffic['to']}")
    keys = [key for key in _KEYS if key in traffic["by"] or (key == "at" and {"hour", "day"} & set(traffic["by"]))]
    columns = ["calls", "errors", "95 % interval", "incomplete", "p50 ms", "p95 ms", "p99 ms", "tokens in", "tokens out"]
    columns += ["cost $", "feedback", "95 % interval", "low feedback", "replayable"]
    print_table([*keys, *columns], [_row(group, keys) for group in traffic["items"]])


def _row(group: Any, keys: list[str]) -> list[Any]:
    errors, feedback, latency, tokens = (group[name] for name in ("errors", "feedback", "latency_ms", "tokens"))
    quantiles = [None if latency[name] is None else round(latency[name]) for name in ("p50", "p95", "p99")]
    cost = None if group["cost"]["usd"] is None else f"{group['cost']['usd']:.4f}"
    return [
        *(group[key] for key in keys),
        group["calls"],
        *_share(errors, percent=True),
        group["incomplete"],
        *quantiles,
        tokens["input"],
        tokens["output"],
        cost,
        *_share(feedback, percent=False),
        _share(group["low_feedback_share"], percent=True)[0],
        _share(group["replayable"], percent=True)[0],
    ]


def _share(share: Any, *, percent: bool) -> tuple[str | None, str | None]:
    """Return a share with its interval as texts."""
    if share is None:
        return None, None
    value, low, high = (f"{share[name]:.1%}" if percent else f"{share[name]:.3f}" for name in ("value", "low", "high"))
    return value, f"{low} to {high}"
