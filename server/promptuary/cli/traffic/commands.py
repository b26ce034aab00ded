"""`promptuary traffic …`: what is known of calls in production, and what is made of it."""

import typer

from promptuary.cli.traffic.comparison import compare
from promptuary.cli.traffic.datasets import to_dataset
from promptuary.cli.traffic.erasure import erase_user
from promptuary.cli.traffic.figures import show
from promptuary.cli.traffic.observations import observations
from promptuary.cli.traffic.settings import app as settings

HELP = "Production traffic: its figures, sampled calls, settings, and cases made of sampled calls."
app = typer.Typer(help=HELP, no_args_is_help=True)
app.command("show")(show)
app.command("compare")(compare)
app.command("observations")(observations)
app.command("to-dataset")(to_dataset)
app.command("erase-user")(erase_user)
app.add_typer(settings, name="settings")


@app.callback(help=HELP)
def traffic() -> None:
    """Run one of the commands."""
