"""Langfuse's drop-in client of OpenAI, with a prompt that its own SDK looks up at the same address."""

from application import MODEL, NAME, TICKET
from langfuse import get_client
from langfuse.openai import OpenAI

langfuse = get_client()
prompt = langfuse.get_prompt(NAME, type="chat")
OpenAI(max_retries=0).chat.completions.create(model=MODEL, messages=prompt.compile(ticket=TICKET), langfuse_prompt=prompt)
langfuse.flush()
langfuse.shutdown()
