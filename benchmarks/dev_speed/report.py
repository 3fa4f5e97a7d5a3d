"""What `metarl speed` prints and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from metarl.benchmarks.dev_speed.timing import Sample, summary

GIB = 2**30


class Target(NamedTuple):
    """A side is to be at least `floor` times as fast as its reference."""

    side: str
    reference: str
    floor: float
    robot: str | None = None  # for which alone the floor was set: what is not physics weighs less, the dearer a step is


CHEETAH = "HalfCheetah"


TARGETS = (
    Target("tensor", "stock", 0.85), Target("tensor", "bare", 0.85), Target("tensor", "bare_derived", 0.85),
    Target("tensor", "envpool", 1.5, CHEETAH), Target("tensor", "sync", 3.0, CHEETAH),
    Target("tensor", "async", 6.0, CHEETAH),
    Target("own_bare", "bare", 0.95), Target("own_tensor", "tensor", 0.90),
    Target("new_tasks", "own_tensor", 0.5),  # a new task for everyone costs two env steps at most
    Target("face", "stock", 0.75), Target("face", "bare", 0.75), Target("face", "envpool", 1.5, CHEETAH),
    Target("face", "sync", 3.0, CHEETAH), Target("face", "async", 6.0, CHEETAH),
    Target("training", "tensor_train", 0.40), Target("training", "tensor", 0.40, CHEETAH),
    Target("training", "recurrent_ppo", 4.0, CHEETAH), Target("training", "one_process", 1.0),
    Target("one_process", "torch_steps", 1.0),
)  # fmt: skip
MOST_MEMORY = 2 * GIB


@dataclass(frozen=True)
class Report:
    """Everything one run measured."""

    machine: Mapping[str, Any]
    options: Mapping[str, Any]
    samples: Mapping[str, tuple[str, list[Sample]]]  # side -> what it is, its rounds
    left_out: Mapping[str, str]  # what it is -> why
    shares: Mapping[str, Mapping[str, float]]  # what is trained -> where its time went
    memory: int | None  # bytes at training's peak
    robot: str | None = None  # the world that was measured

    def ratios(self) -> list[tuple[Target, float]]:
        """Each target whose two sides were measured, and the ratio of their medians."""
        medians = {side: summary(samples).median for side, (_, samples) in self.samples.items()}
        return [(t, medians[t.side] / medians[t.reference]) for t in TARGETS if {t.side, t.reference} <= medians.keys()]

    def print(self, console: Console) -> None:
        """A table, and a line for each thing that is no rate."""
        console.print(self._table())
        m = self.machine
        versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items() if version)
        cores = f"{m['threads']} of {m['cores']} cores, load {m['load']} before"
        console.print(f"{m['cpu']}, {cores}; {versions}", highlight=False)
        for about, parts in self.shares.items():
            told = ", ".join(f"{name} {share:.0%}" for name, share in parts.items())
            console.print(f"time of {about}: {told}", highlight=False)
        if self.memory is not None:
            mark, peak = _mark(self.memory < MOST_MEMORY), f"{self.memory / GIB:.2f} GiB"
            console.print(
                f"peak memory of training in one process: {peak} {mark} {MOST_MEMORY / GIB:g} at most",
                highlight=False,
            )
        for about, why in self.left_out.items():
            console.print(f"left out: {about}: {escape(why)}", highlight=False)

    def _table(self) -> Table:
        title = (
            f"{escape(str(self.options['distribution']))}: thousands of env steps a second, median (range) of rounds"
        )
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for name in ("side, environments", "1000/s", "times", "of", "floor"):
            table.add_column(name, justify="left" if name[0] in "so" else "right", no_wrap=True)
        ratios = self.ratios()
        for side, (about, samples) in self.samples.items():
            rate = summary(samples)
            own = [(target, ratio) for target, ratio in ratios if target.side == side]
            table.add_row(
                about, f"{rate.median / 1e3:.1f} ({rate.low / 1e3:.1f}-{rate.high / 1e3:.1f})",
                "\n".join(f"{ratio:.2f}" for _, ratio in own),
                "\n".join(self.samples[target.reference][0] for target, _ in own),
                "\n".join(self._floor(target, ratio) for target, ratio in own),
            )  # fmt: skip
        return table

    def _floor(self, target: Target, ratio: float) -> str:
        asked = target.robot in (None, self.robot)
        return f"{_mark(ratio >= target.floor)} {target.floor:g}" if asked else ""

    def to_json(self) -> dict[str, Any]:
        """Raw samples too."""
        return {
            "machine": self.machine,
            "options": self.options,
            "sides": {
                side: {"about": about, **asdict(summary(samples)), "samples": [asdict(sample) for sample in samples]}
                for side, (about, samples) in self.samples.items()
            },
            "ratios": [{**target._asdict(), "ratio": ratio} for target, ratio in self.ratios()],
            "left_out": self.left_out,
            "training_time_shares": self.shares,
            "training_peak_memory_bytes": self.memory,
        }


def _mark(good: bool) -> str:
    return "[green]✓[/]" if good else "[red]✗[/]"
