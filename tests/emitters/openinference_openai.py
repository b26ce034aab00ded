"""OpenInference for OpenAI: the prompt, the conversation and the user as attributes of the context."""

from application import ask, look_up, openai, provider
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor

tracer_provider = provider()
OpenAIInstrumentor().instrument(tracer_provider=tracer_provider)
prompt = look_up()
with using_attributes(session_id="conversation-1", user_id="user-1", metadata=prompt.metadata):
    ask(openai(), prompt)
tracer_provider.shutdown()
