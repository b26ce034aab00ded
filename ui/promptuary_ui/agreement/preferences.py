"""The result of a queue of pairs: the strengths of the variants, and whether the side on the screen decided."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components.number_format import UNKNOWN, format_count, format_interval, format_score
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.preferences import PositionBias, Ranking, SideShare

FAVOURS = {"left": "the left side is favoured", "right": "the right side is favoured"}


def show_preferences(queue: str, field: str) -> None:
    """Show the figures of a preference; the strengths name variants, so only those who manage queues see them."""
    if session.has_scope("review:manage"):
        _show_ranking(session.api().ranking(queue, field), field)
    _show_bias(session.api().position_bias(queue, field), field)


def _show_ranking(ranking: Ranking, field: str) -> None:
    st.markdown("**Which variant is preferred**")
    if ranking.reason:
        st.info(escape_markdown(f"Strengths are {ranking.reason}."), icon=":material/balance:")
    if ranking.variants:
        rows = [
            {
                "Variant": each.variant,
                "Preferred": format_count(each.wins),
                "Not preferred": format_count(each.losses),
                "Ties": format_count(each.ties),
                "Strength": UNKNOWN if each.strength is None else format_score(each.strength),
                "95 % interval": _bounds(each.low, each.high),
            }
            for each in ranking.variants
        ]
        st.dataframe(rows, hide_index=True, width="stretch", key=f"strengths.{field}")
    for each in ranking.preferences:
        st.markdown(escape_markdown(f"{each.first} is preferred over {each.second} in {format_interval(each.share)} of pairs."))
    st.caption(
        "Strengths are those of Bradley and Terry, with the geometric mean 1: the odds that one variant is preferred over "
        "another are the ratio of their strengths. A tie is half a win for each."
    )


def _show_bias(bias: PositionBias, field: str) -> None:
    st.markdown("**Whether the side on the screen decided**")
    shares = {"all together": bias.overall, **bias.reviewers}
    rows = [_bias_row(name, share) for name, share in shares.items()]
    st.dataframe(rows, hide_index=True, width="stretch", key=f"bias.{field}")
    repeated = bias.repeated
    if repeated.pairs:
        st.caption(
            f"{format_count(repeated.pairs)} pairs came again with the sides swapped: the same output was preferred "
            f"{format_count(repeated.consistent)} times, the left side both times {format_count(repeated.left)}, "
            f"the right side both times {format_count(repeated.right)}, and a tie once {format_count(repeated.tied_once)}."
        )
    st.caption("Each reviewer sees about as many pairs one way as the other, so the share is about one half without a bias.")


def _bias_row(name: str, share: SideShare) -> dict[str, str]:
    return {
        "Reviewer": name.removeprefix("key:"),
        "Decisions without ties": format_count(share.choices),
        "Ties": format_count(share.ties),
        "For the left side": share.reason or UNKNOWN if share.left is None else format_interval(share.left),
        "Meaning": FAVOURS.get(share.favours or "", "no side is favoured" if share.left else ""),
    }


def _bounds(low: float | None, high: float | None) -> str:
    return UNKNOWN if low is None or high is None else f"[{format_score(low)}, {format_score(high)}]"
