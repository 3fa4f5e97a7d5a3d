"""Warp's kernel launches beside torch: on the same device in the same order, captured once and replayed after that.

Launching a kernel from Python takes longer than a small one runs, and a physics step is a hundred of them. So a
sequence of launches is captured: on a GPU as a CUDA graph, on CPU as a list that C++ goes through, 100 times as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import warp as wp

wp.config.log_level = wp.LOG_WARNING  # else it names every module it loads
wp.init()


@contextmanager
def on(device: torch.device) -> Iterator[None]:
    """Warp works on this device, on a GPU in the order of torch's current stream."""
    if device.type == "cpu" or torch.cuda.is_current_stream_capturing():  # then Warp is on the capturing stream already
        with wp.ScopedDevice(wp.device_from_torch(device)):
            yield
    else:
        with wp.ScopedStream(_stream(device), sync_enter=False):
            yield


class WarpGraph:
    """A sequence of launches: run as it stands the first time, which compiles; captured the second; then replayed.

    Every array it touches must stay where it is. While an outer graph is being captured it becomes a part of that one.
    """

    def __init__(self, launch: Callable[[], None], device: torch.device) -> None:
        self._launch, self._device = launch, device
        self._compiled = False
        self._graph: wp.Graph | None = None

    def __call__(self) -> None:
        with on(self._device):
            capturing = self._device.type == "cuda" and torch.cuda.is_current_stream_capturing()
            if capturing or not self._compiled:
                self._launch()
                self._compiled = True
                return
            if self._graph is None:
                self._graph = self._capture()
            wp.capture_launch(self._graph)

    def forget(self) -> None:
        """Record anew: arrays have moved."""
        self._compiled, self._graph = False, None

    def _capture(self) -> wp.Graph:
        if self._device.type == "cpu":
            with wp.ScopedCapture("cpu") as capture:
                self._launch()
        else:  # on a stream of its own: torch's default stream cannot be captured
            own = wp.Stream(wp.device_from_torch(self._device))
            with wp.ScopedStream(own), wp.ScopedCapture(stream=own) as capture:
                self._launch()
        assert capture.graph is not None
        return capture.graph


def capture_with_torch(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Record `work`, torch operations and Warp launches alike, as one CUDA graph; what replays it.

    Warp records, for its loops that end when all worlds are done suspend and resume the recording, which torch's own
    graphs do not expect; torch's temporaries come from a pool of memory that nobody else is given.
    """
    stream, pool = torch.cuda.Stream(device), torch.cuda.MemPool()
    own = wp.stream_from_torch(stream)
    stream.wait_stream(torch.cuda.current_stream(device))
    on_stream, from_pool = torch.cuda.stream(stream), torch.cuda.use_mem_pool(pool, device)
    with on_stream, from_pool, wp.ScopedStream(own, sync_enter=False), wp.ScopedCapture(stream=own) as capture:
        work()
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = capture.graph
    assert graph is not None

    def replay(kept=pool) -> None:
        with on(device):
            wp.capture_launch(graph)

    return replay


_streams: dict[tuple[int, int], wp.Stream] = {}


def _stream(device: torch.device) -> wp.Stream:
    """Warp's name for torch's current stream: one for each, for Warp tells streams apart by object."""
    current = torch.cuda.current_stream(device)
    key = current.device_index, current.cuda_stream
    if key not in _streams:
        _streams[key] = wp.stream_from_torch(current)
    return _streams[key]
