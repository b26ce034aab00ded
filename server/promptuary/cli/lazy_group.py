"""A group of commands whose modules are imported when a command runs; its help needs none of them."""

import importlib
from collections.abc import Iterator, MutableMapping
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class LazyCommand(NamedTuple):
    """A command of the group, as its help shows it, and where it is defined.

    Attributes:
        name: the word on the command line.
        module: the module below `promptuary.cli`.
        attribute: the function, or the Typer application with further commands.
        panel: the panel of the help.
        help: the first paragraph of the command's own help.
    """

    name: str
    module: str
    attribute: str
    panel: str
    help: str

    def load(self) -> Any:
        """Import the command's module, and build the command."""
        target = getattr(importlib.import_module(f"promptuary.cli.{self.module}"), self.attribute)
        holder = typer.Typer(add_completion=False)
        holder.callback()(lambda: None)
        if isinstance(target, typer.Typer):
            holder.add_typer(target, name=self.name, rich_help_panel=self.panel)
        else:
            holder.command(self.name, rich_help_panel=self.panel)(target)
        return typer.main.get_group(holder).commands[self.name]

    def summary(self) -> Any:
        """Return a command that has nothing but what the group's help shows."""
        return TyperCommand(self.name, help=self.help, rich_help_panel=self.panel)


class _LoadedCommands(MutableMapping[str, Any]):
    """The commands by name; each is loaded when it is read."""

    def __init__(self, commands: tuple[LazyCommand, ...]) -> None:
        self._lazy_commands = {command.name: command for command in commands}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._lazy_commands[name].load()
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._lazy_commands[name]

    def __contains__(self, name: object) -> bool:
        return name in self._lazy_commands

    def __iter__(self) -> Iterator[str]:
        return iter(self._lazy_commands)

    def __len__(self) -> int:
        return len(self._lazy_commands)


class LazyGroup(TyperGroup):
    """A group that loads one command, the one that runs. A subclass names the commands."""

    lazy_commands: tuple[LazyCommand, ...] = ()

    def __init__(self, **attributes: Any) -> None:
        """Build the group as Typer does, with the subclass's commands."""
        super().__init__(**attributes)
        self.commands = _LoadedCommands(self.lazy_commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help from the commands' summaries."""
        summaries = {command.name: command.summary() for command in self.lazy_commands}
        listing = TyperGroup(
            name=self.name,
            commands=summaries,
            params=self.params,
            help=self.help,
            rich_markup_mode=self.rich_markup_mode,
            subcommand_metavar=self.subcommand_metavar,
        )
        listing.format_help(ctx, formatter)
