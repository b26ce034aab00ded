"""`promptuary outbox list | retry | drop`: messages to Chroma, MLflow and webhooks that could not be delivered."""

import json as json_module
from typing import Annotated

import typer

from promptuary.cli.connection import connect
from promptuary.cli.number_parsers import integer
from promptuary.cli.output import AsJson, print_json, print_line, print_table

app = typer.Typer(help="Messages to Chroma, MLflow and webhooks that could not be delivered.", no_args_is_help=True)
MessageId = Annotated[int, typer.Argument(metavar="ID", help="The message's number.", parser=integer)]


@app.command("list")
def list_parked(json: AsJson = False) -> None:
    """List the messages that were refused too often and are not tried any more."""
    with connect(None) as api:
        messages = list(api.items("/outbox/parked"))
    if json:
        print_json(messages)
        return
    rows = [
        (message["id"], message["topic"], json_module.dumps(message["payload"])[:60], message["attempts"], message["error"])
        for message in messages
    ]
    print_table(["id", "topic", "payload", "tries", "error"], rows)


@app.command()
def retry(message: MessageId) -> None:
    """Make a message due again; a worker delivers it."""
    with connect(None) as api:
        topic = api.post(f"/outbox/parked/{message}/retry", {})["topic"]
    print_line(f"message {message} to {topic} is due again")


@app.command()
def drop(message: MessageId) -> None:
    """Drop a message: it is never delivered."""
    with connect(None) as api:
        api.delete(f"/outbox/parked/{message}")
    print_line(f"message {message} is dropped")
