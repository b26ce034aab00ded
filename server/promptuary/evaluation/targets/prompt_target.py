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
from promptuary.evaluation.targets.prompt_turn import answer_turn, turn_messages, turn_values
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


@dataclass(frozen=True)
class PromptCall:
    """The call of a model for a case that is answered once.

    Attributes:
        rendered: the prompt.
        messages: what the model receives.
        request: with them.
    """

    rendered: RenderedPrompt
    messages: tuple[Message, ...]
    request: ModelRequest


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
    _calls_ahead: dict[tuple[str, str, int], PromptCall] = field(default_factory=dict, init=False, repr=False)

    async def answer(
        self, case: Case, variant: Variant, repeat: int, trace: TargetTrace, turn: TurnContext | None = None
    ) -> TargetReply:
        """Render the prompt and call the model; in a conversation, until it answers without a call of a tool.

        Raises:
            Invalid: for a turn that cannot be asked, or a call of a tool that the case does not answer.
        """
        prepared, tools = self.prepared[variant.name], self._tools[variant.name]
        if turn is None:
            call = self._calls_ahead.pop((case.id, variant.name, repeat), None)
            if call is None:
                call = self._prepared_call(await self._render(case, prepared, None), variant, repeat)
            trace.messages, trace.passages = call.messages, call.rendered.passages
            reply = await self.client.ask(call.request)
            steps, template = trajectory_of([reply]), prepared.content.template
            return TargetReply(reply, call.messages, call.rendered.passages, tools, template=template, trajectory=steps)
        rendered = await self._render(case, prepared, turn)
        first = turn_messages(rendered, prepared, turn)
        trace.messages, trace.passages = first.messages, rendered.passages

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

    def prepare(self, case: Case, variant: Variant, repeat: int) -> ModelRequest | None:
        """Render the prompt for a case that `answer` will be called with soon, and return its request.

        Return None where nothing can be looked up before: for a conversation, a sensitive case, a prompt that takes long to
        render, and one that cannot be rendered, for which `answer` raises the error.
        """
        prepared = self.prepared[variant.name]
        if case.is_conversation or _takes_long(prepared) or self.is_sensitive(case, variant.name):
            return None
        try:
            rendered = self.renderer.render(self.project, prepared, turn_values(case, prepared, None))
        except Exception:
            return None
        call = self._calls_ahead[case.id, variant.name, repeat] = self._prepared_call(rendered, variant, repeat)
        return call.request

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

    def _prepared_call(self, rendered: RenderedPrompt, variant: Variant, repeat: int) -> PromptCall:
        messages = rendered.messages or (user_message(rendered.text or ""),)
        return PromptCall(rendered, messages, self._request(variant, repeat, messages))

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
        if _takes_long(prepared):
            return await asyncio.to_thread(self.renderer.render, self.project, prepared, values)
        return self.renderer.render(self.project, prepared, values)

    @cached_property
    def _model_settings(self) -> Mapping[str, ModelSettings]:
        """The model settings of each variant, by its name."""
        return {name: model_settings(prepared.content) for name, prepared in self.prepared.items()}

    @cached_property
    def _tools(self) -> Mapping[str, tuple[JsonObject, ...]]:
        """The tools of each variant, by its name."""
        return {name: tuple(settings.tools or ()) for name, settings in self._model_settings.items()}

    @cached_property
    def _sensitive_variables(self) -> Mapping[str, frozenset[str]]:
        """The sensitive variables of each variant, by its name."""
        return {
            name: frozenset(variable for variable, definition in prepared.variables.items() if definition.sensitive)
            for name, prepared in self.prepared.items()
        }


def _takes_long(prepared: PreparedPrompt) -> bool:
    """Return whether to render in a thread: a context is embedded and searched, and Jinja may run its author's loops."""
    return prepared.content.context is not None or prepared.content.format == "jinja2"


def _first_values(case: Case, prepared: PreparedPrompt) -> JsonObject:
    """Return the values of a case, or of the first turn of a conversation, that the prompt has variables for."""
    if not case.turns:
        return turn_values(case, prepared, None)
    first = case.turns[0]
    return turn_values(case.of_turn(1), prepared, TurnContext(first, 1, is_last=len(case.turns) == 1))
