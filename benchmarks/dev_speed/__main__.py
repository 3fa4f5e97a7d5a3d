"""The command line of the developers' speed measurements: python -m metarl.benchmarks.dev_speed robots|games|maml."""

from __future__ import annotations

import sys

from metarl.benchmarks.dev_speed import games, maml, robots
from metarl.benchmarks.dev_speed.robot_options import RobotSpeedOptions
from metarl.cli.main import parse
from metarl.errors import MetarlError, unknown

PROG = "python -m metarl.benchmarks.dev_speed"
COMMANDS = {
    "robots": (RobotSpeedOptions, robots.run),
    "games": (games.GameSpeedOptions, games.run),
    "maml": (maml.MamlSpeedOptions, maml.run),
}


def main(arguments: list[str]) -> int:
    """Run one command and return its exit status. A user's mistake prints one message, without a traceback."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: {PROG} {{{','.join(COMMANDS)}}} [OPTIONS]\n")
        for name, (options, _) in COMMANDS.items():
            print(f"  {name:8}{(options.__doc__ or '').splitlines()[0]}")
        print("\nEvery command explains its options with --help.")
        return 0
    try:
        if arguments[0] not in COMMANDS:
            raise unknown("speed measurement", arguments[0], COMMANDS)
        options, run = COMMANDS[arguments[0]]
        run(parse(options, arguments[1:], f"{PROG} {arguments[0]}"))
    except MetarlError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
