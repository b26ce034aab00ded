"""The prompt target: renders a version with a case's variables and calls the variant's model."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from promptuary.evaluation.case import Case
from promptuary.evaluation.conversations.conversation import TurnContext
from promptuary.evaluation.conversations.message import Message, user_message
from promptuary.evaluation.conversations.trajectory import trajectory_of
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.targets.prompt_turn import TurnMessages, answer_turn, turn_messages, turn_values
from promptuary.evaluation.targets.target import TargetReply, TargetTrace
from promptuary.models.calls import ModelCaller, ModelReply, ModelRequest
from promptuary.prompt.errors import Invalid
from promptuary.prompt.model_settings import ModelSettings, model_settings
from promptuary.prompt.templates.prepared import PreparedPrompt, RenderedPrompt


@dataclass(frozen=True)
class CalledModel:
    """The model that a variant calls.

    Attributes:
        name: in LangChain's `provider:model` form.
        config: the settings of the prompt, and over them those of the variant.
    """

    name: str
    config: JsonObject


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
    _called_models: dict[str, CalledModel] = field(default_factory=dict, init=False, repr=False)

    async def answer(
        self, case: Case, variant: Variant, repeat: int, trace: TargetTrace, turn: TurnContext | None = None
    ) -> TargetReply:
        """Render the prompt and call the model; in a conversation, until it answers without a call of a tool.

        Raises:
            Invalid: for a turn that cannot be asked, or a call of a tool that the case does not answer.
        """
        prepared, settings = self.prepared[variant.name], self._model_settings[variant.name]
        rendered = await self._render(case, prepared, turn)
        messages = rendered.messages or (user_message(rendered.text or ""),)
        first = TurnMessages(messages, ()) if turn is None else turn_messages(rendered, prepared, turn)
        trace.messages, trace.passages = first.messages, rendered.passages
        tools = tuple(settings.tools or ())
        if turn is None:
            reply = await self.client.ask(self._request(variant, repeat, messages))
            steps = trajectory_of([reply])
            return TargetReply(reply, messages, rendered.passages, tools, template=prepared.content.template, trajectory=steps)

        async def ask(sent: Sequence[Message]) -> ModelReply:
            trace.messages = tuple(sent)
            return await self.client.ask(self._request(variant, repeat, trace.messages))

        replies = await answer_turn(ask, first, turn, trace.replies)
        return TargetReply(
            replies.reply,
            tuple(trace.messages or ()),
            rendered.passages,
            tools,
            template=prepared.content.template,
            added=replies.added,
            trajectory=trajectory_of(replies.replies),
        )

    async def close(self) -> None:
        """Release nothing: the model client has the connections."""

    def is_sensitive(self, case: Case, variant: str) -> bool:
        """Return whether the case has a value for a sensitive variable of the variant."""
        return not self._sensitive_variables[variant].isdisjoint(case.variable_names if case.turns else case.vars)

    def mismatch(self, cases: Iterable[Case]) -> str | None:
        """Return why no case can be rendered under a variant; None where at least one of them can, under each."""
        waiting, reasons = dict(self.prepared), dict[str, str]()
        for case in cases:
            for name, prepared in list(waiting.items()):
                try:
                    prepared.check_values(_first_values(case, prepared))
                    del waiting[name]
                except Invalid as error:
                    reasons.setdefault(name, f"no case fits {name}; the first, '{case.id}': {error}")
            if not waiting:
                return None
        return next((reasons[name] for name in waiting if name in reasons), None)

    def _request(self, variant: Variant, repeat: int, messages: Sequence[Message]) -> ModelRequest:
        settings = self._model_settings[variant.name]
        model = self._called_model(variant)
        return ModelRequest(
            model.name,
            [dict(message) for message in messages],
            model.config,
            tools=settings.tools,
            response_format=settings.response_format,
            repeat=repeat,
        )

    def _called_model(self, variant: Variant) -> CalledModel:
        """Return the model of a variant with its settings, which take precedence over the prompt's."""
        if variant.name not in self._called_models:
            name, config = variant.model, self._model_settings[variant.name].values
            if variant.model_spec is not None:
                model = variant.called_model
                name, config = model.name, {**config, **model.config}
            self._called_models[variant.name] = CalledModel(name, config)
        return self._called_models[variant.name]

    async def _render(self, case: Case, prepared: PreparedPrompt, turn: TurnContext | None) -> RenderedPrompt:
        values = turn_values(case, prepared, turn)
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


def _first_values(case: Case, prepared: PreparedPrompt) -> JsonObject:
    """Return the values of a case, or of the first turn of a conversation, that the prompt has variables for."""
    if not case.turns:
        return turn_values(case, prepared, None)
    first = case.turns[0]
    return turn_values(case.of_turn(1), prepared, TurnContext(first, 1, is_last=len(case.turns) == 1))
