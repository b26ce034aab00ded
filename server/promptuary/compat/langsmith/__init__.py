"""The prompt routes of LangSmith's client, for reading."""
