"""A judge's figures beside those that labels of people correct, as texts that all reports share."""

from collections.abc import Iterator

from promptuary.evaluation.judge_figures import AgreementFigures, CorrectionFigures, JudgeFigures, LicenceState
from promptuary.evaluation.reports.formatting import format_interval, format_number
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.summary_model import Summary
from promptuary.evaluation.summary_part import IntervalFigures

CORRECTION_COLUMNS = ("Judged", "Metric", "Judge alone", "Corrected by people", "Labels", "Effective", "Halved by", "Note")


def correction_lines(run: ReportedRun) -> Iterator[str]:
    """Yield a line for each judge, for each correction, and for a verdict that later labels changed."""
    summary = run.summary
    if summary is None:
        return
    yield from judge_lines(summary)
    for correction in summary.corrections:
        subject, raw, corrected, *counts, note = correction_cells(correction)
        if correction.corrected is None:
            yield f"{subject}  judge alone {raw}; not corrected: {note}"
            continue
        labels, effective, halved = counts
        yield f"{subject}  judge alone {raw}; corrected {corrected} by {labels} labels, worth {effective}{_halving(halved)}"
    if note := later_verdict(run):
        yield note


def correction_rows(summary: Summary) -> list[list[str]]:
    """Return the rows of a table with `CORRECTION_COLUMNS`."""
    rows = []
    for correction in summary.corrections:
        subject, *cells = correction_cells(correction)
        rows.append([subject.removeprefix(f"{correction.metric} of "), correction.metric, *cells])
    return rows


def correction_cells(correction: CorrectionFigures) -> list[str]:
    """Return the subject, both figures, the counts of labels, and why a figure is missing."""
    signed = correction.baseline is not None
    subject = f"{correction.metric} of {correction.variant}" + (f" − {correction.baseline}" if signed else "")
    missing = "" if correction.missing is None else f"; {correction.missing} labels are missing"
    return [
        subject,
        _interval(correction.raw, signed=signed),
        _interval(correction.corrected, signed=signed),
        str(correction.labels),
        "" if correction.effective_labels is None else f"{correction.effective_labels:.0f}",
        "" if correction.labels_to_halve is None else f"{correction.labels_to_halve} more",
        "" if correction.reason is None else f"{correction.reason}{missing}",
    ]


def judge_lines(summary: Summary) -> Iterator[str]:
    """Yield a line for each judge: its licence, and its agreement with people."""
    for judge in summary.judges:
        yield f"judge of {judge.metric} ({judge.model}): {licence_phrase(judge)}"


def licence_phrase(judge: JudgeFigures) -> str:
    """Return the state of a judge's calibration, and its figures where there are any."""
    missing = f"{judge.missing} labels are missing"
    if judge.state is LicenceState.VALID:
        phrase = f"compared with {judge.labels} labels of people"
    elif judge.state is LicenceState.EXPIRED:
        phrase = f"its calibration has expired, since the {' and the '.join(judge.changed)} changed; {missing}"
    else:
        phrase = f"not calibrated: {judge.labels} labels of people, {missing}"
    figures = [f"sensitivity {format_interval(judge.sensitivity)}"] if judge.sensitivity else []
    figures += [f"specificity {format_interval(judge.specificity)}"] if judge.specificity else []
    figures += [f"{name} {_agreement(value)}" for name, value in (("κ", judge.kappa), ("AC1", judge.ac1)) if value]
    return ", ".join([phrase, *figures])


def later_verdict(run: ReportedRun) -> str:
    """Return the verdict that labels lead to that came after the run, where it is another one; else an empty text."""
    if run.labelled is None or run.labelled.verdict == run.verdict:
        return ""
    reasons = "; ".join(gate.sentence for gate in run.labelled.gates if gate.corrected or gate.missing_labels is not None)
    return f"labels that came after the run lead to the verdict {run.labelled.verdict}: {reasons}"


def _halving(halved: str) -> str:
    return f"; {halved} would halve the interval" if halved else "; labels of all cases would not halve the interval"


def _interval(interval: IntervalFigures | None, *, signed: bool) -> str:
    return "–" if interval is None else format_interval(interval, signed=signed)


def _agreement(figures: AgreementFigures) -> str:
    if figures.value is None:
        return figures.reason or "undefined"
    bounds = (
        "" if figures.low is None or figures.high is None else f" [{format_number(figures.low)}, {format_number(figures.high)}]"
    )
    return f"{format_number(round(figures.value, 3) + 0.0)}{bounds}"
