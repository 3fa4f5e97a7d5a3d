"""Capture and replay of Warp kernel launches, ordered with torch's operations on the same device.

A kernel launch from Python takes longer than a small kernel runs, and a physics step consists of about a hundred
kernels. A sequence of launches is therefore captured once and replayed: on a GPU as a CUDA graph, on CPU as a list that
C++ executes, 100 times as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import warp as wp

wp.config.log_level = wp.LOG_WARNING  # the default prints every module that is loaded
wp.init()


@contextmanager
def warp_device(device: torch.device) -> Iterator[None]:
    """Make `device` Warp's current device; on a GPU, use torch's current stream."""
    if device.type == "cpu" or torch.cuda.is_current_stream_capturing():  # Warp already uses the capturing stream
        with wp.ScopedDevice(wp.device_from_torch(device)):
            yield
    else:
        with wp.ScopedStream(_stream(device), sync_enter=False):
            yield


class WarpGraph:
    """A sequence of Warp kernel launches that is captured once and then replayed.

    The first call runs `launch` and so compiles the kernels, the second call captures it, and every later call replays
    the capture. All arrays that the kernels use must keep their addresses. During the capture of an outer graph, the
    launches become part of that graph.
    """

    def __init__(self, launch: Callable[[], None], device: torch.device) -> None:
        self._launch, self._device = launch, device
        self._compiled = False
        self._graph: wp.Graph | None = None

    def __call__(self) -> None:
        with warp_device(self._device):
            capturing = self._device.type == "cuda" and torch.cuda.is_current_stream_capturing()
            if capturing or not self._compiled:
                self._launch()
                self._compiled = True
                return
            if self._graph is None:
                self._graph = self._capture()
            wp.capture_launch(self._graph)

    def invalidate(self) -> None:
        """Discard the capture, because arrays have moved; later calls compile and capture again."""
        self._compiled, self._graph = False, None

    def _capture(self) -> wp.Graph:
        if self._device.type == "cpu":
            with wp.ScopedCapture("cpu") as capture:
                self._launch()
        else:  # torch's default stream cannot be captured
            side = wp.Stream(wp.device_from_torch(self._device))
            with wp.ScopedStream(side), wp.ScopedCapture(stream=side) as capture:
                self._launch()
        assert capture.graph is not None
        return capture.graph


def capture_with_torch(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Capture `work`, with torch operations and Warp launches, as one CUDA graph and return its replay function.

    Warp makes the capture, because its conditional loops suspend and resume a capture, which torch's own graphs do not
    support. Torch's temporaries are allocated from a private memory pool.
    """
    stream, pool = torch.cuda.Stream(device), torch.cuda.MemPool()
    warp_stream = wp.stream_from_torch(stream)
    stream.wait_stream(torch.cuda.current_stream(device))
    with (
        torch.cuda.stream(stream),
        torch.cuda.use_mem_pool(pool, device),
        wp.ScopedStream(warp_stream, sync_enter=False),
        wp.ScopedCapture(stream=warp_stream) as capture,
    ):
        work()
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = capture.graph
    assert graph is not None

    def replay(pool=pool) -> None:  # the reference keeps the pool alive
        with warp_device(device):
            wp.capture_launch(graph)

    return replay


_streams: dict[tuple[int, int], wp.Stream] = {}


def _stream(device: torch.device) -> wp.Stream:
    """Return Warp's object for torch's current stream; cached, because Warp distinguishes streams by object."""
    current = torch.cuda.current_stream(device)
    key = current.device_index, current.cuda_stream
    if key not in _streams:
        _streams[key] = wp.stream_from_torch(current)
    return _streams[key]
