"""Options of `dev_speed robots`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from metarl.checks import check_number, check_whole


@dataclass(frozen=True)
class RobotSpeedOptions:
    """Env steps per second of bare physics, environments and training of a robot, beside other libraries."""

    distribution: str = "HalfCheetahVel"
    """a name, path/to/file.py:Name or package.module:Name; other libraries run Gymnasium's version of its robot"""
    num_envs: int = 256
    """environments in a batch: this package, bare physics and EnvPool"""
    gymnasium_envs: int = 16
    """environments in a batch of Gymnasium's vector environments"""
    train_envs: int = 64
    """environments in a batch in training"""
    meta_envs: int = 160
    """environments in a batch in training ProMP, 20 for each task"""
    epochs: int = 2
    """passes over a meta-batch in training"""
    hidden_size: int = 128
    """hidden units of the memory in training"""
    rounds: int = 5
    """measurements of each side; sides take turns"""
    seconds: float = 2.0
    """shortest time for which a side is measured in a round (s); trials and episodes are completed, so often longer"""
    threads: int | None = None
    """CPU threads of every side; all cores by default"""
    peers: bool = True
    """also measure EnvPool, Gymnasium's vector environments and sb3-contrib's RecurrentPPO"""
    training: bool = True
    """also measure training: its speed and its peak memory"""
    sides: tuple[str, ...] = ()
    """measure only these sides, by their names in the JSON file, such as bare tensor envpool"""
    device: str = "cpu"
    """cpu; or cuda: the bare engine, the environment and training of --distributions at each of --sizes"""
    engine: str | None = None
    """warp: on cpu, the measurements of --device cuda; a check that they run, not a measure of a GPU"""
    distributions: tuple[str, ...] = (
        "HalfCheetahVel", "AntDir2D", "Walker2dRandParams", "HumanoidDir", "GridNavi", "Catch",
    )  # fmt: skip
    """distributions measured on cuda"""
    sizes: tuple[int, ...] = (1024, 4096, 8192, 16384, 32768, 65536)
    """environments in a batch on cuda"""
    json: Path | None = None
    """write machine, options and every sample to this file"""

    def __post_init__(self) -> None:
        check_whole(
            self, "num_envs", "gymnasium_envs", "train_envs", "meta_envs", "epochs", "hidden_size", "rounds", low=1
        )
        check_number(self, "seconds", low=0.0)
        if self.threads is not None:
            check_whole(self, "threads", low=1)
