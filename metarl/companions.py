"""More processes on this machine for one training, started by the first of them; see metarl/parallel.py.

Python runs one operation at a time in a process, and those of a small recurrent network are too small to be shared out
among threads: so several processes, each with its share of the trials and of the cores, train faster than one.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from metarl import parallel

COMPANION = "METARL_COMPANION"  # set in the processes started here, not in those of torchrun
LEAVE_S = 10.0  # time companions have to end by themselves


def is_companion() -> bool:
    """Whether this process was started by `companions`."""
    return parallel.launched()[0] > 0 and COMPANION in os.environ


@contextmanager
def companions(count: int, module: str, arguments: Sequence[str]) -> Iterator[None]:
    """Within, this process is the first of `count` that learn as one; the others run `python -m MODULE ARGUMENTS`.

    Each has a share of the cores. The others write nothing to stdout, and end when this process does, however that is:
    without it they find nobody.
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
    started = [
        subprocess.Popen(command, env={**before, **common, **_rank(rank)}, stdout=subprocess.DEVNULL)
        for rank in range(1, count)
    ]
    os.environ.update(common | _rank(0))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        parallel.leave()
        for process in started:
            _end(process)


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
