"""Options of a training run, for the command line and `metarl.train`."""

from __future__ import annotations

from dataclasses import dataclass

from metarl.checks import check_number, check_whole
from metarl.errors import MetarlError


@dataclass(frozen=True)
class TrainOptions:
    """Options of the training run."""

    steps: int = 10_000_000
    """env steps to train for, not counting steps at rest"""
    seed: int = 0
    """seed of weights, tasks, start states, actions and minibatches"""
    run_dir: str | None = None
    """directory of the run; by default runs/AGENT-DISTRIBUTION-SEED"""
    resume: bool = False
    """continue the run in run_dir from its last checkpoint, if there is one; --steps may be larger than before"""
    device: str = "auto"
    """auto, cpu or cuda; robots on cuda need the extra gpu: pip install '.[gpu]' in metarl's folder"""
    threads: int | None = None
    """CPU threads of physics and networks in each process, by default all cores; the last digits of results depend on
    it"""
    processes: int | None = None
    """processes on this machine that train as one, each with a shard of the trials and of the cores; by default the
    fastest number, or 1 if --threads is given; the last digits of results depend on it"""
    memory_gib: float | None = None
    """largest memory of an update in all processes (GiB); by default the free memory of the device"""
    cuda_graphs: bool = True
    """on a GPU, capture the step of environment and policy as a CUDA graph; steps run eagerly and more slowly with
    --no-cuda-graphs"""
    checkpoint_every: int = 500_000
    """env steps between checkpoints"""
    evaluate_every: int = 1_000_000
    """env steps between evaluations on the valid split during training; 0 for none"""

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
