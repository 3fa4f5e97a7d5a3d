"""More processes on this machine for one training, started by the first of them; see metarl/runtime/distributed.py.

Python runs one operation at a time in a process, and those of a small recurrent network are too small to be shared out
among threads: so several processes, each with its share of the trials and of the cores, train faster than one.
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

COMPANION = "METARL_COMPANION"  # set in the processes started here, not in those of torchrun
LEAVE_S = 10.0  # time companions have to end by themselves


def is_launched_process() -> bool:
    """Whether this process was started by `companions`."""
    return distributed.launched()[0] > 0 and COMPANION in os.environ


@contextmanager
def launch_processes(count: int, module: str, arguments: Sequence[str]) -> Iterator[None]:
    """Within, this process is the first of `count` that learn as one; the others run `python -m MODULE ARGUMENTS`.

    Each has a share of the cores. The others write nothing to stdout, and end when this process does, however that is:
    without it they find nobody. What they wrote to stderr is told then, less the error that all came to.
    """
    if count == 1:
        yield
        return
    before = dict(os.environ)
    common = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count), COMPANION: "1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # a stranger's modules are found as they are here
    }  # fmt: skip
    command = [sys.executable, "-P", "-m", module, *arguments]
    started = []
    for rank in range(1, count):
        told = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would fill up
        process = subprocess.Popen(
            command, env={**before, **common, **_rank(rank)}, stdout=subprocess.DEVNULL, stderr=told
        )
        started.append((process, told))
    os.environ.update(common | _rank(0))
    own = ""
    try:
        yield
    except MetarlError as error:
        own = f"error: {error}"
        raise
    finally:
        os.environ.clear()
        os.environ.update(before)
        distributed.shut_down()
        for process, told in started:
            _end(process)
            _pass_on(told, own)


def _rank(rank: int) -> dict[str, str]:
    return {"RANK": str(rank), "LOCAL_RANK": str(rank)}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(LEAVE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _pass_on(told: IO[bytes], own: str) -> None:
    """Print what a companion said, but for what this process is about to say itself."""
    with told:
        told.seek(0)
        text = told.read().decode(errors="replace")
    if left := (text.replace(own, "") if own else text).strip():
        print(left, file=sys.stderr)
