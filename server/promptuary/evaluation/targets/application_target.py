"""The target of a suite that evaluates applications: asks the application of a variant about a case."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from promptuary.evaluation.applications.answer import output_text
from promptuary.evaluation.applications.spec import TargetSpec
from promptuary.evaluation.case import Case
from promptuary.evaluation.conversations.conversation import TurnContext
from promptuary.evaluation.conversations.message import user_message
from promptuary.evaluation.conversations.trajectory import Step, StepType, Trajectory
from promptuary.evaluation.plan import Variant
from promptuary.evaluation.targets.application import PROMPT, Application, ApplicationOutput, ApplicationQuestion
from promptuary.evaluation.targets.errors import ApplicationUnreachable, ApplicationUnusable
from promptuary.evaluation.targets.prompt_turn import HISTORY
from promptuary.evaluation.targets.recorded_outputs import OutputColumn, RecordedOutputs
from promptuary.evaluation.targets.target import TargetReply, TargetTrace
from promptuary.models.calls import ModelReply, SetupFailed
from promptuary.prompt.content import Content
from promptuary.prompt.errors import Invalid
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.prompt.text import replace_refused

SETUP_ERRORS = 3
"""After so many errors of its set-up and not one answer, an application is not asked again: all cases would have the same."""


@dataclass
class PreparedApplication:
    """An application with the prompt that is rendered for it, if there is one, and whether it has answered at all.

    Attributes:
        application: is asked.
        prompt: is rendered for it.
        ends_run: whether an application that is set up wrongly ends the run; else each case has the error.
    """

    application: Application
    prompt: PreparedPrompt | None = None
    ends_run: bool = True
    _answered: bool = False
    _setup_errors: int = 0

    async def ask(self, question: ApplicationQuestion, trace: TargetTrace) -> ApplicationOutput:
        """Ask the application.

        Raises:
            SetupFailed: after `SETUP_ERRORS` errors of its set-up, if it has never answered.
        """
        try:
            output = await self.application.ask(question, trace.application)
        except (ApplicationUnusable, ApplicationUnreachable) as error:
            self._setup_errors += 1
            if self.ends_run and not self._answered and self._setup_errors >= SETUP_ERRORS:
                raise SetupFailed(error.message) from error
            raise
        self._answered = True
        return output


@dataclass
class ApplicationTarget:
    """The applications of a run; implements `Target`.

    Attributes:
        applications: by the variant's name.
    """

    applications: Mapping[str, PreparedApplication] = field(default_factory=dict)
    _in_flight: int = 0

    async def answer(
        self, case: Case, variant: Variant, repeat: int, trace: TargetTrace, turn: TurnContext | None = None
    ) -> TargetReply:
        """Ask the application; in a conversation, with the messages so far among the variables."""
        prepared = self.applications[variant.name]
        if turn is None:
            question = _question(case, prepared.prompt, repeat)
            text = question_text(question)
        else:
            _check_asks(prepared.application)
            text = turn.turn.user or question_text(_question(_of_turn_alone(case, turn), None, repeat))
            question = _question(_with_conversation(case, turn, text), prepared.prompt, repeat)
        messages = (*(turn.history if turn is not None else ()), user_message(text))
        trace.messages = messages
        self._in_flight += 1
        try:
            output = await prepared.ask(question, trace)
        finally:
            self._in_flight -= 1
        reply = _reply(output)
        trace.replies.append(reply)
        return TargetReply(
            reply,
            messages,
            timed=output.latency_ms is not None,
            value=None if isinstance(output.value, str) else output.value,
            template="" if prepared.prompt is None else prepared.prompt.content.template,
            metadata=output.metadata,
            added=(messages[-1], {"role": "assistant", "content": reply.text}),
            trajectory=None if output.tool_calls is None else _trajectory(reply),
        )

    async def close(self) -> None:
        """Release the connections and processes of all applications, unless others are using them.

        On a cluster a process runs several chunks of items at once, and each closes the target at its end.
        """
        if self._in_flight:
            return
        for prepared in self.applications.values():
            await prepared.application.close()

    def is_sensitive(self, case: Case, variant: str) -> bool:
        """Return False: an application's variables are not declared."""
        return False


def prepare_prompt(target: TargetSpec, *, jinja2: bool) -> PreparedPrompt | None:
    """Parse the prompt that is rendered for an application; None where the suite has none.

    Raises:
        InvalidPrompt: for a template that does not parse, or a format that is not enabled.
    """
    return None if target.prompt is None else prepare(Content.model_validate(target.prompt), jinja2=jinja2)


def question_text(question: ApplicationQuestion) -> str:
    """Return what judges read as the question: the prompt, the one variable's text, or all variables as JSON."""
    if question.prompt is not None:
        return question.prompt
    values = list(question.case.vars.values())
    if len(values) == 1:
        return output_text(values[0])
    return json.dumps(question.case.vars, ensure_ascii=False)


def _question(case: Case, prompt: PreparedPrompt | None, repeat: int) -> ApplicationQuestion:
    if prompt is None:
        return ApplicationQuestion(case, case.vars, None, repeat)
    rendered = prompt.render({name: value for name, value in case.vars.items() if name in prompt.variables})
    text = rendered.text if rendered.messages is None else json.dumps(rendered.messages, ensure_ascii=False, indent=2)
    return ApplicationQuestion(case, {**case.vars, PROMPT: text}, text, repeat)


def _of_turn_alone(case: Case, turn: TurnContext) -> Case:
    """Return a case with the variables of a turn alone, where it has some: they are what the user asks in it."""
    return replace(case, vars=turn.turn.vars) if turn.turn.vars else case


def _with_conversation(case: Case, turn: TurnContext, text: str) -> Case:
    """Return a case with the conversation among its variables, as an application takes it.

    Raises:
        Invalid: for a case that has a variable of such a name.
    """
    own = case.vars.get(HISTORY, [])
    history = [*(own if isinstance(own, list) else ()), *turn.history]
    values = {"message": text, "messages": [*history, user_message(text)], "conversation": turn.conversation}
    if names := sorted(values.keys() & case.vars.keys()) or ([HISTORY] if not isinstance(own, list) else []):
        raise Invalid(f"the case has a variable '{names[0]}', which in a conversation is the conversation's; rename it")
    return replace(case, vars={**case.vars, **values, HISTORY: history})


def _check_asks(application: Application) -> None:
    if isinstance(application, RecordedOutputs | OutputColumn):
        raise ApplicationUnusable("outputs that are there already answer no turns: a conversation needs an application to ask")


def _trajectory(reply: ModelReply) -> Trajectory:
    """Return the steps of an answer: the calls of tools that the application states, then its output."""
    calls = tuple(Step(StepType.TOOL, str(call["name"]), call["args"]) for call in reply.tool_calls)
    return (*calls, Step(StepType.MESSAGE, StepType.MESSAGE)) if reply.text else calls


def _reply(output: ApplicationOutput) -> ModelReply:
    return ModelReply(
        text=replace_refused(output_text(output.value)),
        tool_calls=tuple(call.json_body() for call in output.tool_calls or ()),
        finish_reason=output.finish_reason,
        tokens=output.tokens,
        cost=output.cost,
        latency_ms=output.latency_ms or 0.0,
    )
