"""Calls of OpenAI's protocol that are sent without OpenAI's package: what LangChain sends, over aiohttp; see ADR 0035."""
