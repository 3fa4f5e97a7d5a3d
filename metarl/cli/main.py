"""The entry point of the command line, `metarl COMMAND`.

tyro makes the options of a command from a dataclass. Commands of other folders and packages are found through the
entry-point group `metarl.commands`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from metarl.cli.command import Command
from metarl.errors import MetarlError, unknown

BUILT_IN = {
    "list": ("metarl.cli.listing", "metarl list [NAME]", "distributions, worlds and agents; one of them in full"),
    "show": ("metarl.cli.show", "metarl show DISTRIBUTION", "pictures or a video of sampled tasks"),
    "train": ("metarl.cli.train", "metarl train AGENT DISTRIBUTION", "meta-train into a run directory"),
    "evaluate": ("metarl.cli.evaluate", "metarl evaluate RUN_DIR", "evaluate on frozen tasks: a table and a picture"),
}  # name -> (module with the command's `main`, imported when the command runs; usage; about)


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status. A user's mistake prints one message, without a traceback."""
    try:
        _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return 0
    except MetarlError as error:
        _print_message("error: " if error.exit_status == 1 else "", str(error))
        return error.exit_status
    except SystemExit as end:  # raised by tyro after --help or an option that it cannot read
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        _print_message("", "interrupted; a run keeps its last checkpoint: the same command with --resume continues it")
        return 130
    except BrokenPipeError:  # the reader of the output has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # prevents a second error when Python exits
        return 141


def parse(options: type, arguments: list[str], prog: str, about: str | None = None) -> Any:
    """Return `options` made from arguments. Exit after --help, and after a message if arguments cannot be read."""
    import tyro

    config = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)
    return tyro.cli(options, args=arguments, prog=prog, description=about, config=config)


def _run(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        _print_help()
    elif arguments[0] == "--version":
        from metarl.version import __version__

        print(f"metarl {__version__}")
    else:
        _command(arguments[0])(arguments[1:])


def _command(name: str) -> Callable[[list[str]], None]:
    if name in BUILT_IN:
        return importlib.import_module(BUILT_IN[name][0]).main
    installed = _installed_commands()
    if name not in installed:
        raise unknown("command", name, [*BUILT_IN, *installed])
    command = _load(installed[name])
    return lambda arguments: command.run(parse(command.options, arguments, f"metarl {name}", command.about))


def _installed_commands() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="metarl.commands")}


def _load(point: EntryPoint) -> Command:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise MetarlError(f"the command {point.name} = {point.value} cannot be loaded: {error}") from error


def _print_help() -> None:
    table = Table(box=None, show_header=False, padding=(0, 2))
    for _, usage, about in BUILT_IN.values():
        table.add_row(usage, about)
    for name, point in sorted(_installed_commands().items()):
        table.add_row(f"metarl {name}", _about(point))
    console = Console(highlight=False)
    console.print("Meta-reinforcement learning: task distributions, agents that learn to adapt, and how fast they do.")
    console.print()
    console.print(table)
    console.print("\nEvery command explains its options with --help.")


def _about(point: EntryPoint) -> str:
    try:
        return _load(point).about
    except MetarlError as error:  # a broken third-party command must not hide the others
        return str(error)


def _print_message(label: str, text: str) -> None:
    """Print one message to stderr."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(Text.assemble((label, "bold red"), text))
