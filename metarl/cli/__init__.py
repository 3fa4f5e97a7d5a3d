"""The command line: `metarl COMMAND`. Options are made by tyro from dataclasses; commands of other rooms and packages
are found through the entry-point group `metarl.commands`."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

from rich.console import Console
from rich.table import Table

from metarl.command import Command
from metarl.errors import MetarlError, unknown


def main(argv: list[str] | None = None) -> int:
    """Run one command; a mistake of the user's is one message and exit status 1, never a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            _print_help()
            return 0
        if arguments[0] == "--version":
            from metarl import __version__

            print(f"metarl {__version__}")
            return 0
        _command(arguments[0])(arguments[1:])
        return 0
    except MetarlError as error:
        errors.print(f"[bold red]error:[/] {_escape(str(error))}")
        return 130 if type(error).__name__ == "Interrupted" else 1
    except KeyboardInterrupt:
        errors.print("interrupted")
        return 130
    except BrokenPipeError:
        return 141


def _command(name: str):
    from metarl.cli import evaluate, listing, train

    own = {"list": listing.main, "train": train.main, "evaluate": evaluate.main}
    if name in own:
        return own[name]
    others = _others()
    if name not in others:
        raise unknown("command", name, [*own, *others])
    command: Command = others[name].load()

    def run(arguments: list[str]) -> None:
        import tyro

        command.run(
            tyro.cli(command.options, args=arguments, prog=f"metarl {name}", description=command.about, config=tyro_config())
        )

    return run


def tyro_config() -> tuple:
    import tyro

    return (tyro.conf.OmitArgPrefixes,)


def _others() -> dict:
    return {point.name: point for point in entry_points(group="metarl.commands")}


def _print_help() -> None:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_row("metarl list [NAME]", "distributions, worlds and agents; one of them in full")
    table.add_row("metarl train AGENT DISTRIBUTION", "meta-train into a run directory")
    table.add_row("metarl evaluate RUN_DIR", "play frozen held-out tasks: table, eval.npz, picture")
    for name, point in sorted(_others().items()):
        table.add_row(f"metarl {name}", point.load().about)
    console = Console()
    console.print("Meta-reinforcement learning: task distributions, agents that learn to adapt, and how fast they do.\n")
    console.print(table)
    console.print("\nEvery command explains its options with --help.")


def _escape(text: str) -> str:
    return text.replace("[", "\\[")
