"""The prompt routes of Phoenix's client, for reading."""
