"""The demo, limited to a few updates, and the training curve of its run."""

from __future__ import annotations

from pathlib import Path

import pytest

from metarl import MetarlError
from metarl.benchmarks.commands.curve import COLUMNS, CurveOptions, curve
from metarl.benchmarks.commands.curve import run as print_curve
from metarl.benchmarks.commands.demo import DemoOptions, demo
from metarl.runtime import threads
from metarl.training.run_dir import METRICS, read_table


def test_demo_trains_evaluates_and_draws_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "available", lambda: 1)  # one process, which starts faster
    folder = tmp_path / "demo"
    demo(DemoOptions(run_dir=str(folder), steps=20_000))
    printed = capsys.readouterr().out
    assert "memory wiped" in printed
    assert "random" in printed
    assert "adaptation.png" in printed
    assert (folder / "adaptation.png").stat().st_size > 10_000
    before = (folder / METRICS).read_bytes()
    demo(DemoOptions(run_dir=str(folder), steps=20_000))  # the second call does not train
    assert (folder / METRICS).read_bytes() == before

    rows = curve(str(folder), (1.0, 1e9))  # the run reaches the first mark only
    metrics = read_table(folder / METRICS)
    assert len(rows) == 1
    row = dict(zip(COLUMNS, rows[0], strict=True))
    assert row["env_steps"] == metrics["env_steps"][0]
    assert row["return_last"] == pytest.approx(metrics["return_last"][0], abs=0.05)
    print_curve(CurveOptions((str(folder),), csv=str(tmp_path / "curve.csv")))
    assert (tmp_path / "curve.csv").read_text().startswith(",".join(COLUMNS))


def test_curve_refuses_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(MetarlError, match="no run directory"):
        curve(str(tmp_path), ())
