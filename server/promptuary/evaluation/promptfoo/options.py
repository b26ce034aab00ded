"""The settings of a promptfoo file and of its tests: which a run takes over, and what becomes of the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.promptfoo.report import TranslationReport

READ_KEYS = frozenset({"prompts", "providers", "targets", "tests", "scenarios", "defaultTest", "evaluateOptions"})
"""The keys that other parts of this folder read."""
SILENT_KEYS = frozenset(
    {"$schema", "description", "env", "metadata", "commandLineOptions", "assertionTemplates", "assertTemplates"}
)
"""Keys that are read, or only hold what others refer to."""
_REPORTS = "`eval run` writes reports where --json, --junit and --summary say"
IGNORED_KEYS: Mapping[str, str] = {
    "outputPath": _REPORTS,
    "sharing": "nothing is shared",
    "tags": "a run has no tags; its suite has a name",
    "writeLatestResults": _REPORTS,
    "derivedMetrics": "no verdict depends on it; reckon with the figures of --json",
    "tracing": "MLflow has every run",
}
REFUSED_KEYS: Mapping[str, str] = {
    "extensions": "is code, which is not run here",
    "nunjucksFilters": "is code, which is not run here",
    "redteam": "attacks are not made here",
    "plugins": "attacks are not made here",
    "strategies": "attacks are not made here",
}
IGNORED_RUN_OPTIONS: Mapping[str, str] = {
    "cache": "answers are remembered by their content; a run says itself whether it takes them",
    "delay": "a suite's `limits` say how often a provider is asked",
    "timeoutMs": "PROMPTUARY_CASE_TIMEOUT says how long a case may take",
    "maxEvalTimeMs": "a run goes on until it is done, and can be cancelled",
    "showProgressBar": "a terminal shows a bar",
    "progressBar": "a terminal shows a bar",
    "interactiveProviders": "runs ask nobody",
    "silent": "progress is on standard error",
    "output": _REPORTS,
    "write": _REPORTS,
    "table": _REPORTS,
    "tableCellMaxLength": _REPORTS,
    "share": "nothing is shared",
    "noShare": "nothing is shared",
    "verbose": "PROMPTUARY_LOG_LEVEL says what is logged",
    "watch": "a run is done once",
    "description": "the file has one",
    "retryErrors": "`eval run --resume` goes on with a run",
    "envPath": "the environment is set by whoever runs the suite",
    "tags": "a run has no tags; its suite has a name",
}
SUPPORTED_RUN_OPTIONS = frozenset({"repeat", "maxConcurrency", "grader", "var", "promptPrefix", "promptSuffix"})
SUPPORTED_TEST_OPTIONS = frozenset(
    {"prefix", "suffix", "provider", "rubricPrompt", "factuality", "disableVarExpansion", "disableDefaultAsserts"}
)
IGNORED_TEST_OPTIONS: Mapping[str, str] = {
    "disableConversationVar": "every case stands alone here",
    "runSerially": "every case stands alone here",
    "repeat": "all cases are repeated alike, as often as `evaluateOptions.repeat` or --repeats says",
}
REFUSED_TEST_KEYS: Mapping[str, str] = {
    "provider": "a test with a provider of its own; the suite's models answer every case",
    "providerOutput": "an answer that is given in advance; here a model answers every case (echo gives its prompt)",
    "assertScoringFunction": "is code, which is not run here",
}
REPEATS_LIMIT, CONCURRENCY_LIMIT = 100, 1024


@dataclass(frozen=True)
class RunOptions:
    """What a run takes over from the file."""

    repeats: int = 1
    concurrency: int | None = None
    grader: Any = None
    before: str = ""
    after: str = ""


def read_run_options(config: Mapping[str, Any], report: TranslationReport) -> RunOptions:
    """Read the file's settings, and report every key that nobody reads."""
    for key in config:
        if key in IGNORED_KEYS:
            report.leave("setting", key, IGNORED_KEYS[key], key)
        elif key in REFUSED_KEYS:
            report.refuse("setting", key, REFUSED_KEYS[key], key)
        elif key not in READ_KEYS | SILENT_KEYS:
            report.leave("setting", key, "is no key of promptfoo that is known here", key)
    evaluate = config.get("evaluateOptions") or {}
    line = config.get("commandLineOptions") or {}
    said: dict[str, Any] = {}
    for key, options in (("evaluateOptions", evaluate), ("commandLineOptions", line)):
        for name, value in options.items() if isinstance(options, dict) else ():
            place = f"{key}.{name}"
            if name in SUPPORTED_RUN_OPTIONS:
                said[name] = value
                report.carry("setting", name, place)
            elif name in IGNORED_RUN_OPTIONS:
                report.leave("setting", name, IGNORED_RUN_OPTIONS[name], place)
            else:
                report.refuse("setting", name, "chooses among the tests, or adds to them; write it into the tests", place)
    return RunOptions(
        _count("repeat", said, REPEATS_LIMIT, report) or 1,
        _count("maxConcurrency", said, CONCURRENCY_LIMIT, report),
        said.get("grader"),
        str(said.get("promptPrefix") or ""),
        str(said.get("promptSuffix") or ""),
    )


def report_test_options(options: Mapping[str, Any], others: Mapping[str, Any], place: str, report: TranslationReport) -> None:
    """Report what a test's options ask beyond what others read."""
    for name in options:
        if name in IGNORED_TEST_OPTIONS:
            report.leave("test option", name, IGNORED_TEST_OPTIONS[name], place)
        elif name not in SUPPORTED_TEST_OPTIONS and options[name] is not None:
            code = name in ("transform", "transformVars", "postprocess")
            why = "is code, which is not run here" if code else "changes how this one test is asked or graded"
            report.refuse("test option", name, why, place)
    for name, value in others.items():
        if value is not None:
            report.refuse("test", name, REFUSED_TEST_KEYS.get(name, "is no part of a test that is known here"), place)


def _count(name: str, said: Mapping[str, Any], limit: int, report: TranslationReport) -> int | None:
    value = said.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1:
        return None  # promptfoo takes its default, too
    if value > limit:
        report.change("setting", name, f"is {limit} here, the most that is taken")
    return min(int(value), limit)
