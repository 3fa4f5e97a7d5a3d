"""Options of a training run, which the command line and `metarl.train` share."""

from __future__ import annotations

from dataclasses import dataclass

from metarl.checks import check_number, check_whole
from metarl.errors import MetarlError


@dataclass(frozen=True)
class TrainOptions:
    """How a training run is carried out."""

    steps: int = 10_000_000
    """env steps to train for; steps at rest do not count"""
    seed: int = 0
    """of everything: weights, tasks, start states, actions, minibatches"""
    run_dir: str | None = None
    """where the run is kept; by default runs/AGENT-DISTRIBUTION-SEED"""
    resume: bool = False
    """continue the run in run_dir from its last checkpoint, if there is one; --steps may be raised"""
    device: str = "auto"
    """auto, cpu or cuda; robots on cuda need the extra gpu: pip install 'metarl[gpu]'"""
    threads: int | None = None
    """CPU threads of physics and networks in each process, by default all cores; results depend on it in the last
    digits"""
    processes: int | None = None
    """processes on this machine that learn as one, each with its share of the trials and cores; by default as many as
    are fastest, one where --threads is given; results depend on it in the last digits"""
    memory_gib: float | None = None
    """the most memory that updates may take in all processes (GiB), by default what the device has free"""
    cuda_graphs: bool = True
    """on a GPU, capture the step of environment and policy as a CUDA graph; off: run eagerly, more slowly"""
    checkpoint_every: int = 500_000
    """env steps between checkpoints"""
    evaluate_every: int = 1_000_000
    """env steps between evaluations on the valid split; 0 for none"""

    def __post_init__(self) -> None:
        check_whole(self, "steps", "checkpoint_every", low=1)
        check_whole(self, "seed", "evaluate_every", low=0)
        for name in ("threads", "processes"):
            if getattr(self, name) is not None:
                check_whole(self, name, low=1)
        if self.memory_gib is not None:
            check_number(self, "memory_gib", above=0)
        if self.device not in ("auto", "cpu", "cuda"):
            raise MetarlError(f"device must be auto, cpu or cuda, got {self.device!r}")
