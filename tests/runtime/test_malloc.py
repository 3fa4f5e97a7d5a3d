"""The process keeps freed memory, so repeated allocations map no new pages."""

import platform
import subprocess
import sys

import pytest

from metarl.runtime import malloc

glibc = sys.platform == "linux" and "glibc" in platform.libc_ver()


PAGES_MAPPED = """
import resource, torch
from metarl.runtime import malloc
malloc.keep_freed_memory()
for round in range(40):
    if round == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.zeros(2 * 2**20) for _ in range(4)]  # 8 MiB each
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not glibc, reason="mallopt is glibc's")
def test_repeated_allocations_map_their_pages_once():
    result = subprocess.run([sys.executable, "-c", PAGES_MAPPED], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 4 * 2048, "more than the pages of one round"


def test_keep_freed_memory_runs_once_on_every_platform(monkeypatch):
    for system in ("darwin", "win32", sys.platform):
        malloc.keep_freed_memory.cache_clear()
        monkeypatch.setattr(sys, "platform", system)
        malloc.keep_freed_memory()
        malloc.keep_freed_memory()
        assert malloc.keep_freed_memory.cache_info().hits == 1
