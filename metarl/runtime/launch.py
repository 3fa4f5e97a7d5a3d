"""Further processes on this machine for one training, started by the first one; see distributed.py.

Python runs one operation at a time in a process, and the operations of a small recurrent network are too small to split
among threads. Several processes, each with a share of the trials and of the cores, therefore train faster than one.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from metarl.errors import MetarlError
from metarl.runtime import distributed

LAUNCHED = "METARL_LAUNCHED"  # set in the processes started here, not in those of torchrun
EXIT_S = 10.0  # time that processes have to end by themselves


def is_launched_process() -> bool:
    """Return whether this process was started by `launch_processes`."""
    return distributed.rank_and_size()[0] > 0 and LAUNCHED in os.environ


@contextmanager
def launch_processes(count: int, module: str, arguments: Sequence[str]) -> Iterator[None]:
    """Within, this process is the first of `count` that train together; the others run `python -m MODULE ARGUMENTS`.

    Each has a share of the cores. The others write nothing to stdout, and end when this process ends. Their stderr is
    printed afterwards, without the error that all processes raised.
    """
    if count == 1:
        yield
        return
    before = dict(os.environ)
    common = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count), LAUNCHED: "1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # user modules are found as in this process
    }  # fmt: skip
    command = [sys.executable, "-P", "-m", module, *arguments]
    started = []
    for rank in range(1, count):
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - an unread pipe would fill up
        process = subprocess.Popen(
            command, env={**before, **common, **_rank(rank)}, stdout=subprocess.DEVNULL, stderr=stderr
        )
        started.append((process, stderr))
    os.environ.update(common | _rank(0))
    own_error = ""
    try:
        yield
    except MetarlError as error:
        own_error = f"error: {error}"
        raise
    finally:
        os.environ.clear()
        os.environ.update(before)
        distributed.shut_down()
        for process, stderr in started:
            _end(process)
            _print_rest(stderr, own_error)


def _rank(rank: int) -> dict[str, str]:
    return {"RANK": str(rank), "LOCAL_RANK": str(rank)}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(EXIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _print_rest(stderr: IO[bytes], own_error: str) -> None:
    """Print the stderr of a process, without the error that this process raises itself."""
    with stderr:
        stderr.seek(0)
        text = stderr.read().decode(errors="replace")
    if rest := (text.replace(own_error, "") if own_error else text).strip():
        print(rest, file=sys.stderr)
