"""The figures of pairs in `promptuary review agreement`: strengths, preferences and position bias."""

from collections.abc import Mapping
from typing import Any

from promptuary.cli.connection import ApiClient, ApiRefused, path_segment
from promptuary.cli.output import print_line, print_table

_NOT_ALLOWED = "forbidden"


def read_preferences(api: ApiClient, queue: str, agreement: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of each preference that the queue has, by its name; reviewers get no ranking."""
    figures = {}
    for label in agreement["labels"]:
        if label["type"] == "preference":
            path = f"/queues/{path_segment(queue)}"
            bias = api.get(f"{path}/position-bias", field=label["name"])
            figures[label["name"]] = {"position_bias": bias, "ranking": _read_ranking(api, path, label["name"])}
    return figures


def _read_ranking(api: ApiClient, path: str, field: str) -> Any | None:
    try:
        return api.get(f"{path}/ranking", field=field)
    except ApiRefused as error:
        if error.code == _NOT_ALLOWED:
            return None
        raise


def print_preferences(preferences: Mapping[str, Any]) -> None:
    """Print the strengths of the variants, then the influence of the side."""
    for name, figures in preferences.items():
        if figures["ranking"] is not None:
            _print_ranking(name, figures["ranking"])
        _print_bias(name, figures["position_bias"])


def _print_ranking(name: str, ranking: Mapping[str, Any]) -> None:
    if ranking["reason"]:
        print_line(f"{name}: strengths are {ranking['reason']}")
    columns = ["preference", "variant", "wins", "losses", "ties", "strength", "low", "high"]
    counted = ("variant", "wins", "losses", "ties")
    rows = [
        (name, *(row[each] for each in counted), *(figure(row[each]) for each in ("strength", "low", "high")))
        for row in ranking["variants"]
    ]
    print_table(columns, rows)
    for preference in ranking["preferences"]:
        share = _interval(preference["share"])
        print_line(f"{name}: {preference['first']} preferred over {preference['second']}: {share}, a tie counted as half")


def _print_bias(name: str, bias: Mapping[str, Any]) -> None:
    overall, repeated = bias["overall"], bias["repeated"]
    if overall["left"] is None:
        print_line(f"{name}: the share of the left side is {overall['reason']}")
    else:
        side = {None: "no side is favoured beyond chance"}.get(overall["favours"], f"the {overall['favours']} side is favoured")
        print_line(f"{name}: the left side was chosen: {_interval(overall['left'])}; {side}")
    if repeated["consistency"] is not None:
        consistency = _interval(repeated["consistency"])
        print_line(f"{name}: of {repeated['pairs']} pairs shown again swapped, the same output both times: {consistency}")


def _interval(share: Mapping[str, Any]) -> str:
    return f"{figure(share['estimate'])} ({figure(share['low'])} to {figure(share['high'])})"


def figure(value: Any) -> str:
    """Return a figure with three decimals; nothing for a missing one."""
    return "" if value is None else f"{value:.3f}"
