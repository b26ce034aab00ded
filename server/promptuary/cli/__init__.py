"""The command line: a REST client, one file per subject. Without `PROMPTUARY_URL` the service runs in this process."""
