"""Judges beside people: each judge's agreement with labels, and its figures beside those that labels correct."""

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components.number_format import UNKNOWN, format_count, format_interval, format_score
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.judges import AgreementFigures, CorrectionFigures, Corrections, JudgeFigures

JUDGE = "judge"
"""The parameter of the judges' page that names one by its digest."""


def show(corrections: Corrections) -> None:
    """Show the judges of a run, and both figures of each judged metric."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Judges and people", anchor=False, width="content")
        _link_to_judges(corrections)
    for judge in corrections.judges:
        icon = ":material/verified:" if judge.state == "valid" else ":material/pending:"
        st.caption(f"{icon} {escape_markdown(describe_judge(judge))}")
    if corrections.decided is not None and corrections.verdict != corrections.decided:
        st.info(
            escape_markdown(
                f"Labels that came after the run lead to the verdict {corrections.verdict}; run the suite again to decide it."
            ),
            icon=":material/fact_check:",
        )
    if corrections.corrections:
        st.dataframe([_row(correction) for correction in corrections.corrections], hide_index=True, width="stretch")
        _show_notes(corrections)
        st.caption(
            "The judge alone has the judge's bias; the corrected figure is that of people, from labels of a random part. "
            "Effective labels are those that give the same interval without a judge."
        )


def _link_to_judges(corrections: Corrections) -> None:
    """Show a link to the judges' page; to the judge itself where the run has one."""
    page, judges = session.app_page("judges"), corrections.judges
    if page is not None:
        chosen = {JUDGE: judges[0].digest} if len(judges) == 1 else {}
        st.page_link(page, label="How far judges agree with people", icon=":material/gavel:", query_params=chosen)


def describe_judge(judge: JudgeFigures) -> str:
    """Return the state of a judge's calibration, and its figures where there are any."""
    states = {
        "valid": f"compared with {format_count(judge.labels)} labels of people",
        "expired": f"calibration expired, since the {' and the '.join(judge.changed)} changed; {judge.missing} labels needed",
    }
    state = states.get(judge.state, f"not calibrated: {judge.labels} labels of people, {judge.missing} more needed")
    figures = [f"sensitivity {format_interval(judge.sensitivity)}"] if judge.sensitivity else []
    figures += [f"specificity {format_interval(judge.specificity)}"] if judge.specificity else []
    figures += [f"{name} {format_agreement(value)}" for name, value in (("κ", judge.kappa), ("AC1", judge.ac1)) if value]
    figures += [f"{judge.tuned} labels tuned the judge and are left out"] if judge.tuned else []
    return ", ".join([f"{judge.metric} by {judge.model}: {state}", *figures])


def _row(correction: CorrectionFigures) -> dict[str, str]:
    signed = correction.baseline is not None
    effective = correction.effective_labels
    return {
        "metric": correction.metric,
        "of": f"{correction.variant} − {correction.baseline}" if signed else correction.variant,
        "judge alone": format_interval(correction.raw, signed=signed),
        "corrected": format_interval(correction.corrected, signed=signed),
        "labels": format_count(correction.labels),
        "effective labels": UNKNOWN if effective is None else format_count(round(effective)),
        "halved by": _halving(correction),
    }


def _halving(correction: CorrectionFigures) -> str:
    """Return what halves the corrected interval, in the words of the run's report; not known without that interval."""
    if correction.corrected is None:
        return UNKNOWN
    halving = correction.labels_to_halve
    return f"{format_count(halving)} more" if halving else "labels of all cases would not halve the interval"


def _show_notes(corrections: Corrections) -> None:
    """Show why a figure has no correction, below the table, where a long sentence wraps."""
    for correction in corrections.corrections:
        missing = f"{correction.missing} labels needed" if correction.missing else ""
        note = "; ".join(part for part in (correction.reason, missing) if part)
        if note:
            st.caption(escape_markdown(f"{correction.metric}, {_row(correction)['of']}: {note}"))


def format_agreement(figures: AgreementFigures) -> str:
    """Format a coefficient with its interval, or the reason why it is undefined."""
    if figures.value is None:
        return figures.reason or UNKNOWN
    bounds = (
        "" if figures.low is None or figures.high is None else f"  [{format_score(figures.low)}, {format_score(figures.high)}]"
    )
    return f"{format_score(figures.value)}{bounds}"
