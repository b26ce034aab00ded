"""What an application's telemetry gets: lookups beyond memory, and the prompt on a span and in LangChain's runs."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from client.fake_registry import DOWN, TRIAGE, CoreDriver, FakeRegistry
from client.loopback_server import Connect, Server, lookup_body, problem
from client.test_prompt import prompt_of
from promptuary import Promptuary
from promptuary.client import Lookup, PromptUnavailable, Source, trace
from promptuary.client.span import SEMANTIC_NAME, SEMANTIC_VERSION
from promptuary.prompt.split import divide

SPLIT = divide(f"{TRIAGE}/production", [(4, 50.0), (5, 50.0)]).as_json()


def test_every_lookup_that_memory_did_not_answer_is_told_of() -> None:
    seen: list[Lookup] = []
    driver = CoreDriver(registry=FakeRegistry(), on_lookup=seen.append)
    driver.get()
    driver.get()
    driver.now += 60
    driver.get()  # from memory, though it is renewed
    assert seen == [Lookup(TRIAGE, "production", None, Source.SERVER, 0.0, None)]


def test_it_is_told_why_the_server_did_not_answer() -> None:
    seen: list[Lookup] = []
    driver = CoreDriver(registry=FakeRegistry(), on_lookup=seen.append)
    driver.get(label="nobody", fallback="x")
    driver.registry, driver.respond = None, lambda: DOWN
    driver.get(version=7, fallback="x")
    with pytest.raises(PromptUnavailable):
        driver.get(version=8)
    assert seen == [
        Lookup(TRIAGE, "nobody", None, Source.FALLBACK, 0.0, "prompt_not_found"),
        Lookup(TRIAGE, None, 7, Source.FALLBACK, 0.0, "connection"),
        Lookup(TRIAGE, None, 8, None, 0.0, "connection"),
    ]


def test_a_hook_that_raises_costs_no_lookup_and_is_told_once() -> None:
    def broken(_: Lookup) -> None:
        raise ValueError("a secret")

    driver = CoreDriver(registry=FakeRegistry(), on_lookup=broken)
    driver.get()
    driver.get(version=1)
    assert driver.warnings == ["on_lookup raised ValueError; lookups continue without it"]


def test_both_clients_tell(server: Server, connect: Connect) -> None:
    seen: list[Lookup] = []
    client = connect(server.url, on_lookup=seen.append)
    client.get(TRIAGE)
    client.get(TRIAGE, targeting_key="ada@example.org")
    server.reply = problem(403, "forbidden")
    client.get(TRIAGE, label="staging", fallback="x", targeting_key="ada@example.org")
    assert [(lookup.label, lookup.source, lookup.reason) for lookup in seen] == [
        ("production", "server", None),
        ("staging", "fallback", "key_refused"),
    ]
    assert all(0 < lookup.seconds < 30 for lookup in seen)
    assert "ada" not in repr(seen)


# --- OpenTelemetry ------------------------------------------------------------------------------------------------------


def test_a_prompt_is_put_on_the_current_span() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

    prompt = prompt_of("{{a}}", version=4, variant="v4", split=SPLIT)
    with TracerProvider().get_tracer("test").start_as_current_span("a call") as span:
        trace(prompt)
    semantic = {SEMANTIC_NAME: TRIAGE, SEMANTIC_VERSION: "4"}
    assert dict(span.attributes or {}) == {**semantic, **prompt.metadata}  # type: ignore[attr-defined] # the SDK's
    assert prompt.metadata["promptuary.variant"] == "v4"
    assert gen_ai_attributes.GEN_AI_PROMPT_NAME == SEMANTIC_NAME
    trace(prompt)  # outside a span it does nothing


def test_a_lookup_and_a_render_set_name_and_version_on_the_current_span(server: Server) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider().get_tracer("test")
    client = Promptuary(server.url, disk=False, follow=False, deadline=60)

    def attributes(work: Callable[[], object]) -> dict[str, Any]:
        with tracer.start_as_current_span("a call") as span:
            work()
        return dict(span.attributes or {})  # type: ignore[attr-defined] # the SDK's

    expected = {SEMANTIC_NAME: TRIAGE, SEMANTIC_VERSION: "1"}
    assert attributes(lambda: client.get(TRIAGE)) == expected  # from the server
    assert attributes(lambda: client.get(TRIAGE)) == expected  # from memory
    prompt = client.get(TRIAGE)
    assert attributes(lambda: prompt.render(ticket="x")) == expected
    server.kill()
    assert attributes(lambda: client.get("support.other", fallback="x")) == {SEMANTIC_NAME: "support.other"}
    client.close()


def test_without_opentelemetry_nothing_happens() -> None:
    code = """
import json, sys
sys.modules["opentelemetry"] = None
from promptuary import Promptuary
from promptuary.client import trace
prompt = Promptuary("http://127.0.0.1:1", disk=False).get("a.b", fallback="x")
trace(prompt)
trace(prompt)
print(json.dumps([name for name in sys.modules if name.startswith("opentelemetry.")]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, json.loads(done.stdout or "null")) == (0, []), done.stderr


# --- LangChain ----------------------------------------------------------------------------------------------------------

SIMPLE = [{"role": "system", "content": 'Answer {"a": 1}'}, {"role": "user", "content": "{{ticket}}"}]


def watched(chain: Any, values: dict[str, str], **config: Any) -> list[tuple[str, dict[str, Any]]]:
    """Run a chain, and give the name and the metadata of each of its runs in the order in which they began."""
    from langchain_core.callbacks import BaseCallbackHandler

    seen: list[tuple[str, dict[str, Any]]] = []

    class Watcher(BaseCallbackHandler):
        def on_chain_start(self, *_: Any, name: str = "", metadata: dict[str, Any] | None = None, **__: Any) -> None:
            seen.append((name, metadata or {}))

        def on_chat_model_start(self, *_: Any, metadata: dict[str, Any] | None = None, **__: Any) -> None:
            seen.append(("the model", metadata or {}))

    chain.invoke(values, config={"callbacks": [Watcher()], **config})
    return seen


def promptuary_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name.startswith("promptuary.")}


@pytest.mark.parametrize("template", [SIMPLE, "Sort {{ticket}}"], ids=["chat", "text"])
@pytest.mark.parametrize("more", [{}, {"variant": "v4", "split": SPLIT}], ids=["whole", "arm"])
def test_the_prompts_run_in_a_chain_carries_name_version_and_digest(template: Any, more: dict[str, Any]) -> None:
    from langchain_core.language_models import FakeListChatModel

    prompt = prompt_of(template, version=4, **more)
    seen = watched(prompt.to_langchain() | FakeListChatModel(responses=["yes"]), {"ticket": "Hi"}, metadata={"mine": 1})
    kind = "ChatPromptTemplate" if template is SIMPLE else "PromptTemplate"
    runs = dict(seen)
    assert set(runs) == {"RunnableSequence", kind, "the model"}
    assert promptuary_metadata(runs[kind]) == prompt.metadata
    assert (
        prompt.metadata.items()
        >= {"promptuary.name": TRIAGE, "promptuary.version": 4, "promptuary.digest": prompt.digest}.items()
    )
    assert prompt.metadata.get("promptuary.variant") == more.get("variant")
    assert all(metadata["mine"] == 1 for metadata in runs.values())


def test_every_run_of_a_chain_carries_it_where_the_chain_is_given_it() -> None:
    from langchain_core.language_models import FakeListChatModel

    prompt = prompt_of(SIMPLE, version=4)
    chain = prompt.to_langchain() | FakeListChatModel(responses=["yes"])
    seen = watched(chain.with_config(metadata=prompt.metadata), {"ticket": "Hi"})
    assert len(seen) == 3
    assert all(promptuary_metadata(metadata) == prompt.metadata for _, metadata in seen)


def test_two_versions_of_one_prompt_do_not_mix_their_metadata() -> None:
    fourth, fifth = prompt_of(SIMPLE, version=4), prompt_of(SIMPLE, version=5)
    first, second = fourth.to_langchain(), fifth.to_langchain()
    assert [
        promptuary_metadata(watched(template, {"ticket": "Hi"})[0][1])["promptuary.version"] for template in (first, second)
    ] == [4, 5]


def test_a_lookup_of_a_body_without_a_variant_has_none_in_its_metadata() -> None:
    assert "promptuary.variant" not in prompt_of("x", **{"labels": lookup_body()["labels"]}).metadata
