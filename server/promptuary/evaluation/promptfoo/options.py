"""The settings of a promptfoo file and of its tests: which a run takes over, and what becomes of the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import TranslationReport
from promptuary.prompt.model_settings import SETTING_NAMES

READ_KEYS = frozenset({"prompts", "providers", "targets", "tests", "scenarios", "defaultTest", "evaluateOptions"})
"""The keys that other parts of this folder read."""
SILENT_KEYS = frozenset(
    {"$schema", "description", "env", "metadata", "commandLineOptions", "assertionTemplates", "assertTemplates"}
)
"""Keys that are read, or only contain what others refer to."""
_REPORTS = "`eval run` writes reports where --json, --junit and --summary point"
_ATTACKS = "`promptfoo redteam` makes attacks of it, `promptfoo eval` does not read it; the file's tests are run"
_NAMES = "is for people; no verdict depends on it"
IGNORED_KEYS: Mapping[str, str] = {
    "outputPath": _REPORTS,
    "sharing": "nothing is shared",
    "tags": "a run has no tags; its suite has a name",
    "writeLatestResults": _REPORTS,
    "derivedMetrics": "no verdict depends on it; compute it from the figures of --json",
    "tracing": "MLflow has every run",
    **dict.fromkeys(("redteam", "plugins", "strategies"), _ATTACKS),
}
REFUSED_KEYS: Mapping[str, str] = {
    "extensions": "is code, which is not run here",
    "nunjucksFilters": "is code, which is not run here",
}
IGNORED_RUN_OPTIONS: Mapping[str, str] = {
    "cache": "responses are cached by their content; each run decides whether it reads them",
    "delay": "a suite's `limits` set how often a provider is called",
    "timeoutMs": "PROMPTUARY_CASE_TIMEOUT sets how long a case may take",
    "maxEvalTimeMs": "a run continues until it is done, and can be cancelled",
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
    "verbose": "PROMPTUARY_LOG_LEVEL sets what is logged",
    "watch": "a run is done once",
    "description": "the file has one",
    "retryErrors": "`eval run --resume` continues a run",
    "envPath": "the environment is set where the suite is run",
    "tags": "a run has no tags; its suite has a name",
}
SUPPORTED_RUN_OPTIONS = frozenset({"repeat", "maxConcurrency", "grader", "var", "promptPrefix", "promptSuffix"})
SUPPORTED_TEST_OPTIONS = frozenset(
    {
        *("prefix", "suffix", "provider", "rubricPrompt", "factuality", "disableVarExpansion", "disableDefaultAsserts"),
        *("transform", "postprocess", "transformVars"),
    }
)
IGNORED_TEST_OPTIONS: Mapping[str, str] = {
    "disableConversationVar": "every case stands alone here",
    "runSerially": "every case stands alone here",
    "repeat": "all cases are repeated alike, as often as `evaluateOptions.repeat` or --repeats sets",
    "timeout": "PROMPTUARY_CASE_TIMEOUT sets how long a case may take",
    **dict.fromkeys(("description", "id", "label", "metadata", "name", "tags"), _NAMES),
}
CALL_OPTIONS = SETTING_NAMES | {
    *("model", "tools", "tool_choice", "functions", "function_call", "response_format", "passthrough", "systemPrompt"),
    *("instructions", "thinking", "reasoning", "verbosity", "max_output_tokens", "modalities", "logit_bias", "n"),
    *("url", "method", "headers", "body", "queryParams", "transformRequest", "transformResponse"),
}
"""Test options that promptfoo hands to the provider as its settings for one test."""
GRADING_OPTIONS = frozenset({"storeOutputAs", "contextTransform"})
SELECTING_OPTIONS = frozenset({"tests", "assertions", "prompts", "providers", "vars", "model", "modelOutputs", "config"})
REFUSED_TEST_KEYS: Mapping[str, str] = {
    "provider": "a test with a provider of its own; the suite's models answer every case",
    "providerOutput": "an answer that is given in advance; here a model answers every case (echo gives its prompt)",
    "assertScoringFunction": "is code, which is not run here",
}
REPEATS_LIMIT, CONCURRENCY_LIMIT = 100, 1024


@dataclass(frozen=True)
class PromptfooRunOptions:
    """What a run takes over from the file."""

    repeats: int = 1
    concurrency: int | None = None
    grader: Any = None
    before: str = ""
    after: str = ""


def read_run_options(config: RawObject, report: TranslationReport) -> PromptfooRunOptions:
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
    run_values: RawObject = {}
    for key, options in (("evaluateOptions", evaluate), ("commandLineOptions", line)):
        for name, value in options.items() if isinstance(options, dict) else ():
            place = f"{key}.{name}"
            if name in SUPPORTED_RUN_OPTIONS:
                run_values[name] = value
                report.carry("setting", name, place)
            elif name in IGNORED_RUN_OPTIONS:
                report.leave("setting", name, IGNORED_RUN_OPTIONS[name], place)
            elif name.startswith("filter") or name in SELECTING_OPTIONS:
                report.refuse("setting", name, "chooses among the tests, or adds to them; write it into the tests", place)
            else:
                report.leave("setting", name, "is no setting of promptfoo that is known here", place)
    return PromptfooRunOptions(
        _count("repeat", run_values, REPEATS_LIMIT, report) or 1,
        _count("maxConcurrency", run_values, CONCURRENCY_LIMIT, report),
        run_values.get("grader"),
        str(run_values.get("promptPrefix") or ""),
        str(run_values.get("promptSuffix") or ""),
    )


def report_test_options(options: RawObject, others: RawObject, place: str, report: TranslationReport) -> None:
    """Report what a test's options ask beyond what others read."""
    for name in options:
        if name in IGNORED_TEST_OPTIONS:
            report.leave("test option", name, IGNORED_TEST_OPTIONS[name], place)
        elif name in CALL_OPTIONS | GRADING_OPTIONS and options[name] is not None:
            report.refuse("test option", name, "changes how this one test is asked or graded", place)
        elif name not in SUPPORTED_TEST_OPTIONS and options[name] is not None:
            report.leave("test option", name, "is no option that promptfoo reads", place)
    for name, value in others.items():
        if value is not None and name in REFUSED_TEST_KEYS:
            report.refuse("test", name, REFUSED_TEST_KEYS[name], place)
        elif value is not None:
            report.leave("test", name, "is no part of a test that promptfoo reads", place)


def _count(name: str, run_values: RawObject, limit: int, report: TranslationReport) -> int | None:
    value = run_values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1:
        return None  # promptfoo takes its default, too
    if value > limit:
        report.change("setting", name, f"is {limit} here, the most that is taken")
    return min(int(value), limit)
