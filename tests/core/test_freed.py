"""Freed memory stays with the process, and that can be seen: no page is mapped anew."""

import platform
import sys

import pytest
import torch

from metarl import freed

resource = pytest.importorskip("resource")
glibc = sys.platform == "linux" and "glibc" in platform.libc_ver()
PAGE = 4096


@pytest.mark.skipif(not glibc, reason="mallopt is glibc's")
def test_a_large_tensor_made_again_and_again_costs_no_pages():
    freed.keep()
    size = 8 * 2**20
    kept = [torch.zeros(1000) for _ in range(10)]
    torch.zeros(size // 4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        kept[0] = torch.zeros(size // 4)
        kept[0] = torch.zeros(1)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < 5 * size // PAGE, "20 tensors of 2048 pages each would be 40960 faults"


def test_it_is_done_once_and_harms_nowhere(monkeypatch):
    for system in ("darwin", "win32", sys.platform):
        freed.keep.cache_clear()
        monkeypatch.setattr(sys, "platform", system)
        freed.keep()
        freed.keep()
        assert freed.keep.cache_info().hits == 1
