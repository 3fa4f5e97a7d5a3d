"""The table and the JSON file of `dev_speed robots`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from metarl.benchmarks.commands.speed import GIB, machine_line
from metarl.runtime.timing import Sample, summarize


class Target(NamedTuple):
    """A requirement: `side` is at least `floor` times as fast as `reference`."""

    side: str
    reference: str
    floor: float
    robot: str | None = None  # the only robot with this floor: the ratio depends on the cost of the physics


CHEETAH = "HalfCheetah"


TARGETS = (
    Target("tensor", "stock", 0.85), Target("tensor", "bare", 0.85), Target("tensor", "bare_derived", 0.85),
    Target("tensor", "envpool", 1.5, CHEETAH), Target("tensor", "sync", 3.0, CHEETAH),
    Target("tensor", "async", 6.0, CHEETAH),
    Target("own_bare", "bare", 0.95), Target("own_tensor", "tensor", 0.90),
    Target("new_tasks", "own_tensor", 0.5),  # a new task for every environment costs at most two env steps
    Target("vector_env", "stock", 0.75), Target("vector_env", "bare", 0.75),
    Target("vector_env", "envpool", 1.5, CHEETAH), Target("vector_env", "sync", 3.0, CHEETAH),
    Target("vector_env", "async", 6.0, CHEETAH),
    Target("training", "tensor_train", 0.40), Target("training", "tensor", 0.40, CHEETAH),
    Target("training", "recurrent_ppo", 4.0, CHEETAH), Target("training", "one_process", 1.0),
    Target("one_process", "torch_steps", 1.0),
)  # fmt: skip
MAX_MEMORY = 2 * GIB


@dataclass(frozen=True)
class Report:
    """All measurements of one run."""

    machine: Mapping[str, Any]
    options: Mapping[str, Any]
    samples: Mapping[str, tuple[str, list[Sample]]]  # side -> description, one sample per round
    left_out: Mapping[str, str]  # description of a side -> reason
    shares: Mapping[str, Mapping[str, float]]  # description of a trained side -> part -> fraction of its time
    memory: int | None  # peak of training in bytes
    robot: str | None = None  # the measured world

    def ratios(self) -> list[tuple[Target, float]]:
        """Return every target whose two sides were measured, with the ratio of their medians."""
        medians = {side: summarize(samples).median for side, (_, samples) in self.samples.items()}
        return [(t, medians[t.side] / medians[t.reference]) for t in TARGETS if {t.side, t.reference} <= medians.keys()]

    def print(self, console: Console) -> None:
        """Print the table, and one line for the machine, time shares, memory, and each side that was left out."""
        console.print(self._table())
        console.print(machine_line(self.machine, self.machine["threads"]), highlight=False)
        for about, parts in self.shares.items():
            text = ", ".join(f"{name} {share:.0%}" for name, share in parts.items())
            console.print(f"time of {about}: {text}", highlight=False)
        if self.memory is not None:
            mark, peak = _mark(self.memory < MAX_MEMORY), f"{self.memory / GIB:.2f} GiB"
            console.print(
                f"peak memory of training in one process: {peak} {mark} {MAX_MEMORY / GIB:g} at most", highlight=False
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
            rate = summarize(samples)
            of_side = [(target, ratio) for target, ratio in ratios if target.side == side]
            table.add_row(
                about, f"{rate.median / 1e3:.1f} ({rate.low / 1e3:.1f}-{rate.high / 1e3:.1f})",
                "\n".join(f"{ratio:.2f}" for _, ratio in of_side),
                "\n".join(self.samples[target.reference][0] for target, _ in of_side),
                "\n".join(self._floor(target, ratio) for target, ratio in of_side),
            )  # fmt: skip
        return table

    def _floor(self, target: Target, ratio: float) -> str:
        applies = target.robot in (None, self.robot)
        return f"{_mark(ratio >= target.floor)} {target.floor:g}" if applies else ""

    def to_json(self) -> dict[str, Any]:
        """Return the content of the JSON file, with every sample."""
        return {
            "machine": self.machine,
            "options": self.options,
            "sides": {
                side: {"about": about, **asdict(summarize(samples)), "samples": [asdict(sample) for sample in samples]}
                for side, (about, samples) in self.samples.items()
            },
            "ratios": [{**target._asdict(), "ratio": ratio} for target, ratio in self.ratios()],
            "left_out": self.left_out,
            "training_time_shares": self.shares,
            "training_peak_memory_bytes": self.memory,
        }


def _mark(good: bool) -> str:
    return "[green]✓[/]" if good else "[red]✗[/]"
