"""The command line: a REST client, one file a subject. Without `PROMPTUARY_URL` the service it talks to is in this process."""
