"""One judge compared with people: its licence, its errors, its agreement, and its curve where it grades."""

import streamlit as st

from promptuary_ui.components.judge_figures import format_agreement
from promptuary_ui.components.number_format import format_count, format_interval, format_score
from promptuary_ui.components.plots import plot_judge_curve
from promptuary_ui.components.text import escape_markdown
from promptuary_ui.wire.judges import Calibration, Confusion, Licence

LICENCES = {
    "valid": ("Valid", "green", ":material/verified:"),
    "expired": ("Expired", "orange", ":material/history:"),
    "too_few_labels": ("Too few labels", "gray", ":material/pending:"),
}
CHANGES = {"judge prompt": "its prompt", "model": "its model", "rubric": "its rubric", "population": "the dataset of its cases"}
MEANINGS = {
    "Sensitivity": "passed by the judge, of what people pass",
    "Specificity": "failed by the judge, of what people fail",
    "Cohen's κ": "agreement beyond chance",
    "Gwet's AC1": "the same, steadier where nearly all pass or fail",
}


def show_calibration(calibration: Calibration) -> None:
    """Show all that is known of a judge."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(escape_markdown(calibration.metric), anchor=False, width="content")
            title, colour, icon = LICENCES.get(
                calibration.licence.state, (calibration.licence.state, "gray", ":material/help:")
            )
            st.badge(escape_markdown(title), color=colour, icon=icon)
        st.markdown(escape_markdown(licence_sentence(calibration.licence)))
        st.caption(escape_markdown(" · ".join(_facts(calibration))))
        if calibration.rubric:
            with st.expander("Rubric"):
                st.text(calibration.rubric)
        if calibration.confusion is not None:
            _show_figures(calibration, calibration.confusion)
        if calibration.curve:
            _show_curve(calibration)
        _show_omitted(calibration)


def licence_sentence(licence: Licence) -> str:
    """Return whether the figures may be relied on, and what to do where they may not."""
    labels = f"{format_count(licence.labels)} labels of people"
    needed = f"{format_count(licence.labels_needed)} labels are still needed"
    if licence.state == "valid":
        return f"Compared with {labels}: gates and corrected figures may rely on it."
    if licence.state == "expired":
        changed = " and ".join(CHANGES.get(part, part) for part in licence.changed)
        return f"Its labels no longer count, since {changed} changed after them: {needed}."
    return f"{labels} so far: {needed} until gates and corrected figures may rely on it."


def _facts(calibration: Calibration) -> list[str]:
    population = calibration.population
    facts = [calibration.type, calibration.model, f"rubric {calibration.rubric_digest.removeprefix('sha256:')[:8]}"]
    facts += [f"passes from {calibration.threshold:g}"] if calibration.threshold is not None else []
    facts += [f"suites: {', '.join(calibration.suites)}"] if calibration.suites else []
    if population is not None:
        facts.append(f"cases: {population.dataset}, version {population.number}, {format_count(population.cases)} of them")
    facts += [f"labels from: {', '.join(calibration.queues)}"] if calibration.queues else []
    return facts


def _show_figures(calibration: Calibration, confusion: Confusion) -> None:
    figures, table = st.columns([3, 2])
    shares = {"Sensitivity": calibration.sensitivity, "Specificity": calibration.specificity}
    coefficients = {"Cohen's κ": calibration.kappa, "Gwet's AC1": calibration.ac1}
    values = {name: "no label of this kind" if share is None else format_interval(share) for name, share in shares.items()}
    values |= {name: format_agreement(value) for name, value in coefficients.items() if value is not None}
    rows = [{"Figure": name, "Value and 95 % interval": value, "Meaning": MEANINGS[name]} for name, value in values.items()]
    figures.dataframe(rows, hide_index=True, width="stretch", key=f"figures.{calibration.digest}")
    confused = [
        {"Labels": "passed by people", "Judge passes": confusion.both_pass, "Judge fails": confusion.people_alone},
        {"Labels": "failed by people", "Judge passes": confusion.judge_alone, "Judge fails": confusion.both_fail},
    ]
    table.dataframe(confused, hide_index=True, width="stretch", key=f"confusion.{calibration.digest}")


def _show_curve(calibration: Calibration) -> None:
    plot, table = st.columns([3, 2])
    with plot:
        plot_judge_curve(calibration.curve, calibration.metric)
    rows = [
        {
            "Score": f"{format_score(point.low)} to {format_score(point.high)}",
            "Labels": format_count(point.labels),
            "Passed by people": format_interval(point.passed),
        }
        for point in calibration.curve
    ]
    table.dataframe(rows, hide_index=True, width="stretch", key=f"curve.{calibration.digest}")


def _show_omitted(calibration: Calibration) -> None:
    if calibration.tuned:
        st.caption(f":material/info: {format_count(calibration.tuned)} labels tuned the judge; they do not grade it.")
    for reason in calibration.left_out:
        st.caption(f":material/info: Left out: {escape_markdown(reason)}")
