"""The prompt target: renders a version with a case's variables and calls the variant's model."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from promptuary.evaluation.case import Case
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.targets.target import TargetReply, TargetTrace
from promptuary.models.calls import ModelCaller, ModelRequest
from promptuary.prompt.errors import InvalidVariables
from promptuary.prompt.model_settings import ModelSettings, model_settings
from promptuary.prompt.templates.prepared import PreparedPrompt, RenderedPrompt


class PromptRenderer(Protocol):
    """Renders a version, with its context if it has one; safe to call from several threads."""

    def render(self, project: int, prepared: PreparedPrompt, values: JsonObject) -> RenderedPrompt:
        """Return the messages or the text."""


@dataclass(frozen=True)
class PromptTarget:
    """The prompts of a run; implements `Target`.

    Attributes:
        project: the project whose collections the prompts read.
        renderer: renders the prompts.
        client: calls the models.
        prepared: the parsed content of each variant, by its name.
    """

    project: int
    renderer: PromptRenderer
    client: ModelCaller
    prepared: Mapping[str, PreparedPrompt]

    async def answer(self, case: Case, variant: Variant, repeat: int, trace: TargetTrace) -> TargetReply:
        """Render the prompt and call the model."""
        settings = self._model_settings[variant.name]
        name, config = variant.model, settings.values
        if variant.model_spec is not None:
            name, config = variant.called_model.name, {**settings.values, **variant.called_model.config}
        rendered = await self._render(case, self.prepared[variant.name])
        messages = rendered.messages or ({"role": "user", "content": rendered.text or ""},)
        trace.messages, trace.passages = messages, rendered.passages
        request = ModelRequest(
            name,
            [dict(message) for message in messages],
            config,
            tools=settings.tools,
            response_format=settings.response_format,
            repeat=repeat,
        )
        reply = await self.client.ask(request)
        template = self.prepared[variant.name].content.template
        return TargetReply(reply, tuple(messages), rendered.passages, tuple(settings.tools or ()), template=template)

    async def close(self) -> None:
        """Release nothing: the model client has the connections."""

    def is_sensitive(self, case: Case, variant: str) -> bool:
        """Return whether the case has a value for a sensitive variable of the variant."""
        return not self._sensitive_variables[variant].isdisjoint(case.vars)

    def mismatch(self, cases: Iterable[Case]) -> str | None:
        """Return why no case can be rendered under a variant; None where at least one of them can, under each."""
        waiting, reasons = dict(self.prepared), dict[str, str]()
        for case in cases:
            for name, prepared in list(waiting.items()):
                try:
                    prepared.check_values(_values(case, prepared))
                    del waiting[name]
                except InvalidVariables as error:
                    reasons.setdefault(name, f"no case fits {name}; the first, '{case.id}': {error}")
            if not waiting:
                return None
        return next((reasons[name] for name in waiting if name in reasons), None)

    async def _render(self, case: Case, prepared: PreparedPrompt) -> RenderedPrompt:
        values = _values(case, prepared)
        if prepared.content.context is None and prepared.content.format != "jinja2":
            return self.renderer.render(self.project, prepared, values)
        # A context is embedded and searched, and Jinja may run the template author's loops: both take long.
        return await asyncio.to_thread(self.renderer.render, self.project, prepared, values)

    @cached_property
    def _model_settings(self) -> Mapping[str, ModelSettings]:
        """The model settings of each variant, by its name."""
        return {name: model_settings(prepared.content) for name, prepared in self.prepared.items()}

    @cached_property
    def _sensitive_variables(self) -> Mapping[str, frozenset[str]]:
        """The sensitive variables of each variant, by its name."""
        return {
            name: frozenset(variable for variable, definition in prepared.variables.items() if definition.sensitive)
            for name, prepared in self.prepared.items()
        }


def _values(case: Case, prepared: PreparedPrompt) -> JsonObject:
    """Return the values of a case that the prompt has variables for."""
    return {name: value for name, value in case.vars.items() if name in prepared.variables}
