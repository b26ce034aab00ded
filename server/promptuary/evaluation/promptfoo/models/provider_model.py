"""promptfoo's providers with settings, addresses and keys of their own, as models of a suite."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from promptuary.evaluation.promptfoo.models.setting_names import with_our_names
from promptuary.evaluation.promptfoo.providers import Provider, content_settings, model_name
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import TranslationReport, Unsupported
from promptuary.models.model_spec import ModelSpec
from promptuary.prompt.model_settings import config_settings
from promptuary.prompt.validation_errors import field_errors_from

_SPEC_SETTINGS: Mapping[str, str] = {
    **{name: name for name in ("reasoning", "thinking", "verbosity", "service_tier", "top_logprobs")},
    "passthrough": "extra_body",
    "max_output_tokens": "max_tokens",
}
"""Settings that a model of a suite has and a version has not, by promptfoo's names."""
_KEY_IN_ENVIRONMENT = re.compile(r"\{\{\s*env\.(\w+)\s*\}\}|\$\{(\w+)\}")
_ADDRESSES = ("apiBaseUrl", "baseUrl", "apiHost")
_SHARED_PARTS = ("tools", "response_format")


@dataclass(frozen=True)
class ProviderModel:
    """A provider as a model.

    Attributes:
        name: LangChain's.
        label: of the file.
        parts: of a version: `model`, `config`, tools and response format, as `content_settings` returns them.
        own: what only a model of a suite has: the address, the variable of the key, settings of reasoning.
    """

    name: str
    label: str | None
    parts: RawObject
    own: RawObject

    @property
    def settings(self) -> RawObject:
        """All settings by the names that a suite's model has for them."""
        model = self.parts.get("model", {})
        return {**config_settings(self.parts.get("config")), **model, **self.own}


def provider_model(provider: Provider, report: TranslationReport, place: str) -> ProviderModel:
    """Read a provider's model and settings; each setting is reported.

    Raises:
        Unsupported: for a provider that is no model here, or a setting of a type or size that is not taken.
    """
    name = model_name(provider.id)
    config = with_our_names(provider.id, provider.config) if name != "echo:" else {}
    own = _own_settings(config, report, place)
    handled = {key for key in config if key in _SPEC_SETTINGS or key in _ADDRESSES or key == "apiKeyEnvar"}
    if "api_key_env" in own:
        handled.add("apiKey")
    if "base_url" in own and "api_key_env" not in own:
        why = "no key is sent to an address of its own; name its variable in `apiKeyEnvar`"
        report.change("provider config", "apiKey", why, place)
    rest = provider.config if name == "echo:" else {key: value for key, value in config.items() if key not in handled}
    parts = content_settings(rest, name, report, place)
    model = ProviderModel(name, provider.label, parts, own)
    if own:
        _check(model)
    return model


def suite_models(models: Sequence[ProviderModel], report: TranslationReport) -> tuple[list[Any], RawObject]:
    """Return the models of a suite, and the settings that a version keeps.

    Settings that all models share are the version's. Others are those of the models in the suite, each with a label where the
    name is not enough; tools and response format are the version's in any case.
    """
    called = [model for model in models if model.name != "echo:"]
    if all(model.parts == called[0].parts for model in called):
        return list(_specs(models, [model.own for model in models])), called[0].parts if called else {}
    shared = [{key: model.parts[key] for key in _SHARED_PARTS if key in model.parts} for model in called]
    if any(parts != shared[0] for parts in shared):
        why = "the providers have different tools or response formats; a version has one for all models: split the file"
        report.refuse("provider config", "settings", why, "providers")
    return list(_specs(models, [model.settings for model in models])), shared[0]


def grader_model(provider: Provider, report: TranslationReport) -> str | RawObject:
    """Return the model of a grader: its name, with its settings where it has some.

    Raises:
        Unsupported: as `provider_model`.
    """
    model = provider_model(provider, report, "provider")
    if any(part in model.parts for part in _SHARED_PARTS):
        report.change("grader", provider.id, "judges in a form of its own, without tools and response format", "provider")
    return {"name": model.name, **model.settings} if model.settings else model.name


def _specs(models: Sequence[ProviderModel], settings: Sequence[RawObject]) -> Iterator[str | RawObject]:
    """Yield the models with settings; one that is called as an earlier one gets a number."""
    labels: set[str] = set()
    names = [model.name for model in models]
    for model, own in zip(models, settings, strict=True):
        repeated = names.count(model.name) > 1
        if model.name == "echo:" or not (own or repeated):
            yield model.name
            continue
        label = model.label or (model.name if repeated else None)
        number = 2
        while label in labels:
            label = f"{model.label or model.name} {number}"
            number += 1
        if label is not None:
            labels.add(label)
        yield {"name": model.name, **({"label": label} if label else {}), **own}


def _own_settings(config: RawObject, report: TranslationReport, place: str) -> RawObject:
    """Return what of a provider's config only a model of a suite has."""
    own: RawObject = {}
    for key, value in config.items():
        if key in _SPEC_SETTINGS:
            own[_SPEC_SETTINGS[key]] = value
        elif key in _ADDRESSES and isinstance(value, str):
            own["base_url"] = f"https://{value}/v1" if key == "apiHost" else value
        elif key == "apiKeyEnvar":
            own["api_key_env"] = value
        else:
            continue
        report.carry("provider config", key, place)
    variable = _KEY_IN_ENVIRONMENT.fullmatch(str(config.get("apiKey", "")))
    if variable and "api_key_env" not in own:
        own["api_key_env"] = variable[1] or variable[2]
        report.carry("provider config", "apiKey", place)
    return own


def _check(model: ProviderModel) -> None:
    try:
        ModelSpec.model_validate({"name": model.name, **model.settings})
    except ValidationError as error:
        raise Unsupported(f"has settings that a model does not take here: {field_errors_from(error)[0]}") from None
