"""`promptuary traffic …`: what is known of calls in production, and what is made of it."""

import typer

from promptuary.cli.traffic.datasets import to_dataset

app = typer.Typer(help="Make cases of production traffic, of its sampled calls.", no_args_is_help=True)
app.command("to-dataset")(to_dataset)


@app.callback()
def traffic() -> None:
    """Make cases of production traffic, of its sampled calls."""
