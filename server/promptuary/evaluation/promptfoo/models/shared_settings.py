"""What every test of a file asks in the same way, so that it belongs to the file: settings of the model, the one provider."""

from collections.abc import Sequence
from dataclasses import replace

from promptuary.evaluation.promptfoo.prompts import PromptfooPrompt
from promptuary.evaluation.promptfoo.providers import Provider
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import TranslationReport
from promptuary.evaluation.promptfoo.tests import ExpandedTest
from promptuary.prompt.model_settings import SETTING_NAMES


def with_shared_settings(
    rows: Sequence[ExpandedTest], prompts: Sequence[PromptfooPrompt], report: TranslationReport
) -> tuple[list[ExpandedTest], list[PromptfooPrompt]]:
    """Return tests without the settings of a model that all of them have alike, and prompts with these settings.

    promptfoo puts a test's options over the prompt's settings. What differs between tests stays with them, and is refused.
    """
    shared: RawObject = {
        name: value
        for name, value in (rows[0].options.items() if rows else ())
        if name in SETTING_NAMES and value is not None and all(row.options.get(name) == value for row in rows)
    }
    if not shared:
        return list(rows), list(prompts)
    for name in shared:
        report.carry("test option", name, "defaultTest.options")
    left = [replace(row, options={name: value for name, value in row.options.items() if name not in shared}) for row in rows]
    return left, [replace(prompt, config={**prompt.config, **shared}) for prompt in prompts]


def without_own_provider(
    rows: Sequence[ExpandedTest], providers: Sequence[Provider], report: TranslationReport
) -> list[ExpandedTest]:
    """Return tests without a `provider` that is the file's only one: it answers them in any case."""
    names = {providers[0].id, providers[0].label} if len(providers) == 1 else set[str | None]()
    left: list[ExpandedTest] = []
    for row in rows:
        own = row.others.get("provider")
        if isinstance(own, str) and own in names:
            report.carry("test", "provider", row.place)
            row = replace(row, others={name: value for name, value in row.others.items() if name != "provider"})
        left.append(row)
    return left
