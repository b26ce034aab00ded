"""What a promptfoo file tries on its tests: which prompts under which models. Here that is always the whole matrix."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from promptuary.evaluation.promptfoo.models.provider_model import ProviderModel, provider_model, suite_models
from promptuary.evaluation.promptfoo.options import PromptfooRunOptions
from promptuary.evaluation.promptfoo.prompts import ConvertedPrompt, PromptfooPrompt, convert_prompt
from promptuary.evaluation.promptfoo.providers import Provider, content_settings
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import TranslationReport, Unsupported
from promptuary.evaluation.promptfoo.tests import ExpandedTest
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.model_settings import config_settings
from promptuary.prompt.registration.validation import validate_content
from promptuary.prompt.validation_errors import field_errors_from


@dataclass(frozen=True)
class Matrix:
    """Combines prompts and models.

    Attributes:
        report: records the outcome of each.
        models: are asked instead of the file's providers, where given.
    """

    report: TranslationReport
    models: Sequence[str] | None = None

    def chosen(self, what: str, rows: Sequence[ExpandedTest], all_of: list[Any]) -> list[Any]:
        """Return the prompts or providers that every test names; where tests name different ones, that is refused."""
        chosen = [
            tuple(item for item in all_of if names is None or item.is_named(names))
            for row in rows
            for names in [getattr(row, what)]
        ]
        if any(selection != chosen[0] for selection in chosen):
            place = next(row.place for row in rows if getattr(row, what) is not None)
            why = "only some tests name these; here every case is tried with every prompt and model: split the file"
            self.report.refuse("test", what, why, place)
            return all_of
        if any(getattr(row, what) is not None for row in rows):
            self.report.carry("test", what)
        return list(chosen[0]) if chosen else all_of

    def for_providers(self, providers: Sequence[Provider], prompts: list[PromptfooPrompt]) -> list[PromptfooPrompt]:
        """Return the prompts that every provider is for; where providers are for different ones, that is refused."""
        chosen = [
            tuple(prompt for prompt in prompts if provider.prompts is None or prompt.is_named(provider.prompts))
            for provider in providers
        ]
        if any(selection != chosen[0] for selection in chosen):
            why = "only some providers name these; here every prompt is tried with every model: split the file"
            self.report.refuse("provider", "prompts", why, "providers")
            return prompts
        return list(chosen[0]) if chosen else prompts

    def models_of(self, providers: Sequence[Provider]) -> tuple[list[Any], RawObject]:
        """Return the models, with settings of their own where they differ, and the settings that a version keeps."""
        models: list[ProviderModel] = []
        accepted: list[tuple[Provider, str]] = []
        for number, provider in enumerate(providers):
            place = f"providers[{number}]"
            if self.models is not None:
                if provider.config:
                    self.report.leave("provider", provider.id[:60], "--model is asked instead, without its settings", place)
                continue
            try:
                model = provider_model(provider, self.report, place)
                if any((model.name, model.settings) == (earlier.name, earlier.settings) for earlier in models):
                    raise Unsupported(
                        f"is '{model.name}' again, with the same settings: a model is asked once, unless by `repeat`"
                    )
            except Unsupported as error:
                self.report.refuse("provider", provider.id[:60], str(error), place)
                continue
            models.append(model)
            accepted.append((provider, place))
        entries, parts = suite_models(models, self.report)
        with_labels = any(isinstance(entry, dict) for entry in entries)
        for provider, place in accepted:
            self._report_provider(provider, place, with_labels=with_labels)
        return list(self.models or entries), parts

    def _report_provider(self, provider: Provider, place: str, *, with_labels: bool) -> None:
        if provider.id.startswith("openai:responses:"):
            self.report.change("provider", provider.id, "is asked by the chat API", place)
        elif provider.label and not with_labels:
            self.report.change("provider", provider.id, "is called by its model's name here, without its label", place)
        else:
            self.report.carry("provider", provider.id, place)

    def around(self, rows: Sequence[ExpandedTest], options: PromptfooRunOptions) -> tuple[str, str, dict[str, str]]:
        """Return the prefix and suffix of every prompt; where tests differ in them, variables that each test fills."""
        pairs = [
            (str(row.options.get("prefix") or options.before or ""), str(row.options.get("suffix") or options.after or ""))
            for row in rows
        ]
        if not any(map(any, pairs)):
            return "", "", {}
        self.report.carry("test option", "prefix, suffix")
        if len(set(pairs)) == 1:
            return *pairs[0], {}
        used = {name for row in rows for name in row.vars}
        before, after = (_free(name, used) for name in ("prompt_prefix", "prompt_suffix"))
        return f"{{{{{before}}}}}", f"{{{{{after}}}}}", {"prefix": before, "suffix": after}

    def drafts(self, prompts: Sequence[PromptfooPrompt], before: str, after: str) -> Iterator[ConvertedPrompt]:
        """Convert prompts to our form, each with its prefix and suffix."""
        for prompt in prompts:
            try:
                draft = convert_prompt(prompt, before, after)
            except Unsupported as error:
                self.report.refuse("prompt", prompt.summary, str(error), "prompts")
                continue
            if draft.parts["format"] == "jinja2":
                why = "has filters or blocks, so it is of the format jinja2: set PROMPTUARY_JINJA2=true to run it"
                self.report.change("prompt", prompt.summary, why, "prompts")
            else:
                self.report.carry("prompt", prompt.summary, "prompts")
            yield draft

    def contents(
        self, drafts: Sequence[ConvertedPrompt], parts: RawObject, models: Sequence[Any]
    ) -> Iterator[tuple[Content, str]]:
        """Yield each content once, with its label; every variable of it may be missing, as in promptfoo."""
        seen: set[str] = set()
        for draft in drafts:
            body = {**draft.parts, **{key: value for key, value in parts.items() if key != "model"}}
            own = self._own_settings(draft.prompt, models)
            settings = {**parts.get("model", {}), **own.get("model", {})}
            if config := {**parts.get("config", {}), **own.get("config", {})}:
                body["config"] = config
            if settings and models:
                body["model"] = {"name": _name_of(models[0]), **settings}
            try:
                content = Content.model_validate(body)
                used = validate_content(content, resolved=True, jinja2=True).variables
                optional = {name: {"required": False} for name in used}
                content = Content.model_validate(body | {"variables": optional})
                validate_content(content, resolved=True, jinja2=True)
            except ValidationError as error:
                self.report.refuse("prompt", draft.prompt.summary, str(field_errors_from(error)[0]), "prompts")
            except InvalidPrompt as error:
                self.report.refuse(
                    "prompt", draft.prompt.summary, str(error.field_errors[0] if error.field_errors else error), "prompts"
                )
            else:
                if (digest := content_digest(content)) in seen:
                    self.report.change(
                        "prompt", draft.prompt.summary, "is the same as an earlier one, and tried once", "prompts"
                    )
                else:
                    seen.add(digest)
                    yield content, draft.prompt.label

    def _own_settings(self, prompt: PromptfooPrompt, models: Sequence[Any]) -> RawObject:
        if not prompt.config:
            return {}
        model = next((_name_of(model) for model in models if model != "echo:"), "echo:")
        try:
            settings = content_settings(prompt.config, model, self.report, "prompts")
            names = {**settings.get("model", {}), **config_settings(settings.get("config"))}
            if any(names.keys() & entry.keys() for entry in models if isinstance(entry, dict)):
                raise Unsupported("has settings that its providers have, too, each its own; here those of a model count")
            return settings
        except Unsupported as error:
            self.report.refuse("prompt", prompt.summary, str(error), "prompts")
            return {}


def _name_of(model: Any) -> str:
    return str(model["name"]) if isinstance(model, dict) else str(model)


def _free(name: str, used: set[str]) -> str:
    while name in used:
        name += "_"
    return name
