"""The figures of one label in plain words: tables with captions, and what a reader must know to read them."""

from collections.abc import Sequence

import streamlit as st

from promptuary_ui.components.number_format import format_count, format_score
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.agreement import Coefficient, LabelAgreement, Share

COEFFICIENT_NAMES = {
    "krippendorff-alpha-nominal": "Krippendorff's α",
    "krippendorff-alpha-ordinal": "Krippendorff's α (ordered values)",
    "krippendorff-alpha-interval": "Krippendorff's α (numbers)",
    "krippendorff-alpha-masi": "Krippendorff's α (sets of options, MASI)",
    "krippendorff-alpha-characters": "Krippendorff's α (characters)",
    "gwet-ac1": "Gwet's AC1",
    "cohen-kappa": "Cohen's κ",
    "cohen-kappa-weighted": "Cohen's κ, weighted by the squared distance",
}
LEVEL_SENTENCES = {
    "nominal": "Two values are the same or not.",
    "ordinal": "The values have an order: neighbours disagree less than the two ends.",
    "interval": "The values are numbers: a small difference disagrees less than a large one.",
    "sets": "Several options may be chosen: sets that overlap disagree less than sets that do not.",
    "characters": "Parts of the output are marked: each character is compared.",
    "none": "Free text is not compared: there is no coefficient for it.",
}


def show_label(label: LabelAgreement) -> None:
    """Show all figures of a label."""
    st.caption(
        f"{LEVEL_SENTENCES.get(label.level, '')} {format_count(label.items)} items have this label, "
        f"{format_count(label.pairable)} of them from at least two reviewers; only those can agree or disagree."
    )
    if label.omitted:
        st.caption(f":material/info: {format_count(label.omitted)} labels of an earlier schema are left out.")
    if label.level == "none":
        return
    if label.note:
        st.warning(escape_markdown(label.note), icon=":material/balance:")
    rows = _overall_rows(label)
    if not rows:
        st.info("No reviewer has given this label yet.", icon=":material/hourglass_empty:")
        return
    st.dataframe(rows, hide_index=True, width="stretch", key=f"overall.{label.name}")
    st.caption("A coefficient is 1 where all agree, 0 where chance alone would agree as often, and below 0 where it is worse.")
    _show_options(label)
    _show_pairs(label)
    _show_gold(label)


def _overall_rows(label: LabelAgreement) -> list[dict[str, str]]:
    rows = []
    if label.observed is not None:
        rows.append(
            {
                "Figure": "Equal pairs of labels",
                "Value": _percent(label.observed.value),
                "95 % interval": share_interval(label.observed),
                "Items": format_count(label.observed.items),
            }
        )
    for coefficient in label.coefficients:
        rows.append(
            {
                "Figure": COEFFICIENT_NAMES.get(coefficient.coefficient, coefficient.coefficient),
                "Value": coefficient_value(coefficient),
                "95 % interval": coefficient_interval(coefficient),
                "Items": format_count(coefficient.units),
            }
        )
    return rows


def _show_options(label: LabelAgreement) -> None:
    if not label.per_option:
        return
    st.markdown("**Each option by itself**: chosen or not")
    rows = [
        {"Option": option.option, "Chosen in": _percent(option.share), **_coefficient_cells(option.coefficients)}
        for option in label.per_option
    ]
    st.dataframe(rows, hide_index=True, width="stretch", key=f"options.{label.name}")


def _show_pairs(label: LabelAgreement) -> None:
    if not label.pairs:
        return
    st.markdown("**Reviewers against each other**")
    rows = [
        {
            "Reviewers": f"{_name(pair.first)} and {_name(pair.second)}",
            "Items": format_count(pair.share.items),
            "Equal": _percent(pair.share.value),
            **_coefficient_cells([pair.coefficient]),
        }
        for pair in label.pairs
    ]
    st.dataframe(rows, hide_index=True, width="stretch", key=f"pairs.{label.name}")
    if label.pairs_omitted:
        st.caption(f"{format_count(label.pairs_omitted)} more pairs of reviewers have fewer items in common.")


def _show_gold(label: LabelAgreement) -> None:
    if not label.gold:
        return
    st.markdown("**Reviewers against known labels**: what a lead accepted as gold, or the case's expected value")
    rows = [
        {
            "Reviewer": "all together" if gold.reviewer is None else _name(gold.reviewer),
            "Labels": format_count(gold.share.items),
            "Equal": _percent(gold.share.value),
            "95 % interval": share_interval(gold.share),
            **_coefficient_cells([gold.coefficient] if gold.coefficient else []),
        }
        for gold in label.gold
    ]
    st.dataframe(rows, hide_index=True, width="stretch", key=f"gold.{label.name}")


def _coefficient_cells(coefficients: Sequence[Coefficient]) -> dict[str, str]:
    cells = {}
    for coefficient in coefficients:
        interval = coefficient_interval(coefficient)
        name = COEFFICIENT_NAMES.get(coefficient.coefficient, coefficient.coefficient)
        cells[name] = f"{coefficient_value(coefficient)}  {interval}".strip()
    return cells


def coefficient_value(coefficient: Coefficient) -> str:
    """Return a coefficient's value, or why it is undefined."""
    return coefficient.reason or "" if coefficient.value is None else format_score(coefficient.value)


def coefficient_interval(coefficient: Coefficient) -> str:
    """Return a coefficient's interval; empty where there is none."""
    if coefficient.low is None or coefficient.high is None:
        return ""
    return f"[{format_score(coefficient.low)}, {format_score(coefficient.high)}]"


def share_interval(share: Share) -> str:
    """Return a share's interval in percent."""
    return f"[{_percent(share.low)}, {_percent(share.high)}]"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _name(reviewer: str) -> str:
    return reviewer.removeprefix("key:")
