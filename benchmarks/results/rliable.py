"""Scores in the shape that rliable reads (Agarwal et al. 2021): {name: [runs, tasks]}, saved as an .npz of matrices.

    scores = dict(numpy.load("rliable.npz"))
    rliable.library.get_interval_estimates(scores, rliable.metrics.aggregate_iqm)

Its intervals draw single cells anew and are too narrow where runs share a seed: ours are in report.json.
"""

from __future__ import annotations

import numpy as np

from metarl.benchmarks.results.results import Results


def matrices(results: Results) -> dict[str, np.ndarray]:
    """AUAC of every method that has lived on all distributions with a scale: float64 [S, N], tasks side by side; S is
    the number of seeds that it has everywhere."""
    entries = [f for f in results.suite.entries if results.scale(f, f.scored)]
    found: dict[str, np.ndarray] = {}
    for name in results.methods:
        parts = [results.scores(entry, name, entry.scored) for entry in entries]
        if parts and all(part is not None for part in parts):
            auac = [part.auac for part in parts if part is not None]
            seeds = min(len(a) for a in auac)
            found[name] = np.concatenate([a[:seeds] for a in auac], 1)
    return found
