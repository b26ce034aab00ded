"""An agent of pydantic-ai, instrumented by itself."""

from application import MODEL, TICKET, look_up, provider
from pydantic_ai import Agent

tracer_provider = provider()
Agent.instrument_all()
prompt = look_up()
system, user = prompt.render(ticket=TICKET)
Agent(f"openai-chat:{MODEL}", instructions=system["content"], metadata=prompt.metadata).run_sync(user["content"])
tracer_provider.shutdown()
