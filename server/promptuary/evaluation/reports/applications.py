"""The versions under which applications answered, for all reports."""

from collections.abc import Iterator

from promptuary.evaluation.reports.reported_run import ReportedRun


def stated_versions(run: ReportedRun) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of each application whose answers stated versions, and these."""
    planned = {variant.name: variant.target_version for variant in run.variants}
    for variant in run.summary.variants if run.summary is not None else ():
        if variant.target_versions and planned.get(variant.name) is None:
            yield variant.name, variant.target_versions


def version_notes(run: ReportedRun) -> list[str]:
    """Return a sentence on each application whose answers stated a version; a change within the run is pointed out."""
    notes = []
    for name, versions in stated_versions(run):
        notes.append(
            f"{name} answered as version {versions[0]}"
            if len(versions) == 1
            else f"{name} answered as the versions {', '.join(versions)}: "
            "it changed during the run, so the figures describe none of them"
        )
    return notes
