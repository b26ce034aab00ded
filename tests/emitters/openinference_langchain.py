"""OpenInference for LangChain beside the one for OpenAI: each reports the call."""

from application import MODEL, TICKET, look_up, provider
from langchain_openai import ChatOpenAI
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor

tracer_provider = provider()
LangChainInstrumentor().instrument(tracer_provider=tracer_provider)
OpenAIInstrumentor().instrument(tracer_provider=tracer_provider)
prompt = look_up()
chain = (prompt.to_langchain() | ChatOpenAI(model=MODEL, max_retries=0)).with_config(metadata=prompt.metadata)
chain.invoke({"ticket": TICKET})
tracer_provider.shutdown()
