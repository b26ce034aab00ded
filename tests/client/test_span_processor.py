"""The prompt in use on each span that starts: nested, in tasks and threads, and nowhere else."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from client.test_prompt import prompt_of
from promptuary.client import PromptSpanProcessor
from promptuary.client.in_use import uses

NAME, VERSION = "gen_ai.prompt.name", "gen_ai.prompt.version"


class Traced:
    """A tracer with the processor, and the spans that ended."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(PromptSpanProcessor(**options))
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("test")

    def call(self, name: str = "chat", **more: Any) -> None:
        with self.tracer.start_as_current_span(name, **more):
            pass

    def attributes(self, name: str = "chat") -> dict[str, Any]:
        (span,) = [span for span in self.exporter.get_finished_spans() if span.name == name]
        return dict(span.attributes or {})

    @property
    def marked(self) -> list[str]:
        """The names of the spans that have a prompt."""
        return [span.name for span in self.exporter.get_finished_spans() if NAME in (span.attributes or {})]


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traced]:
    monkeypatch.setattr(uses, "is_followed", False)
    token = uses._uses.set(())
    yield Traced()
    uses._uses.reset(token)


def test_the_span_of_a_call_has_the_prompt_that_was_rendered(traced: Traced) -> None:
    prompt = prompt_of("Hi {{name}}")
    prompt.render(name="Ann")
    traced.call()
    expected = {NAME: prompt.name, VERSION: str(prompt.version), **prompt.metadata}
    assert traced.attributes() == expected


def test_variables_are_set_where_the_application_opts_in(traced: Traced) -> None:
    opted_in = Traced(variables=True)
    prompt_of("Hi {{name}}").render(name="Ann")
    opted_in.call()
    assert opted_in.attributes()["gen_ai.prompt.variable.name"] == "Ann"
    prompt_of("Hi {{name}}").render(name="Ann")
    traced.call()
    assert "Ann" not in str(traced.attributes())


def test_inside_a_span_every_span_below_it_is_marked_and_no_sibling(traced: Traced) -> None:
    prompt = prompt_of("Hi")
    with traced.tracer.start_as_current_span("request"):
        with traced.tracer.start_as_current_span("answer"):
            prompt.render()
            with traced.tracer.start_as_current_span("retries"):
                traced.call("first")
                traced.call("second")
        traced.call("sibling")
    traced.call("later")
    assert sorted(traced.marked) == ["answer", "first", "retries", "second"]  # `answer` itself by `render`


def test_without_a_span_around_only_the_next_span_is_marked(traced: Traced) -> None:
    prompt_of("Hi").render()
    with traced.tracer.start_as_current_span("first"):
        traced.call("inside")
    traced.call("later")
    assert sorted(traced.marked) == ["first", "inside"]


def test_a_block_marks_everything_in_it_and_ends(traced: Traced) -> None:
    outer, inner = prompt_of("Hi"), prompt_of("Hello")
    with outer.in_use():
        traced.call("a")
        with inner.in_use({"x": 1}):
            traced.call("b")
        traced.call("c")
    traced.call("d")
    assert traced.marked == ["a", "b", "c"]
    digests = [traced.attributes(name)["promptuary.digest"] for name in "abc"]
    assert digests == [outer.digest, inner.digest, outer.digest]


def test_a_nested_prompt_holds_inside_its_span_alone(traced: Traced) -> None:
    first, second = prompt_of("Hi"), prompt_of("Hello")
    with traced.tracer.start_as_current_span("request"):
        first.render()
        with traced.tracer.start_as_current_span("tool"):
            second.render()
            traced.call("inner")
        traced.call("outer")
    digest = "promptuary.digest"
    assert (traced.attributes("inner")[digest], traced.attributes("outer")[digest]) == (second.digest, first.digest)


def test_a_pool_of_threads_carries_nothing_to_the_next_request(traced: Traced) -> None:
    def first() -> None:
        with traced.tracer.start_as_current_span("request"):
            prompt_of("Hi").render()
            traced.call("first")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(first).result()
        pool.submit(traced.call, "second").result()
    prompt_of("Hi").render()
    thread = threading.Thread(target=traced.call, args=("other",))
    thread.start()
    thread.join()
    assert sorted(traced.marked) == ["first", "request"]


def test_tasks_under_one_span_do_not_mix_their_prompts(traced: Traced) -> None:
    prompts = [prompt_of(text) for text in ("Hi", "Hello", "Hey")]

    async def answer(number: int) -> None:
        prompts[number].render()
        await asyncio.sleep(0)
        traced.call(f"call-{number}")

    async def serve() -> None:
        with traced.tracer.start_as_current_span("request"):
            await asyncio.gather(*(answer(number) for number in range(3)))

    asyncio.run(serve())
    digests = [traced.attributes(f"call-{number}")["promptuary.digest"] for number in range(3)]
    assert digests == [prompt.digest for prompt in prompts]


def test_a_prompt_of_the_start_is_not_that_of_a_later_request(traced: Traced) -> None:
    prompt_of("Hi").render()

    async def serve() -> None:
        traced.call("GET /", kind=trace.SpanKind.SERVER)
        traced.call("chat")

    asyncio.run(serve())
    assert traced.marked == []
    traced.call("GET /2", kind=trace.SpanKind.SERVER)
    assert traced.marked == []


def test_a_span_that_names_its_prompt_keeps_it(traced: Traced) -> None:
    prompt_of("Hi").render()
    traced.call(attributes={NAME: "own"})
    assert traced.attributes() == {NAME: "own"}


def test_nothing_grows_with_the_number_of_requests(traced: Traced) -> None:
    prompt = prompt_of("Hi")
    for _ in range(100):
        with traced.tracer.start_as_current_span("request"):
            prompt.render()
            traced.call()
    assert len(uses._uses.get()) <= uses.DEPTH + 1
