"""An agent of pydantic-ai, instrumented by logfire."""

import logfire
from application import MODEL, TICKET, look_up
from pydantic_ai import Agent

logfire.configure(send_to_logfire=False, console=False)
logfire.instrument_pydantic_ai()
prompt = look_up()
system, user = prompt.render(ticket=TICKET)
Agent(f"openai-chat:{MODEL}", instructions=system["content"], metadata=prompt.metadata).run_sync(user["content"])
logfire.shutdown()
