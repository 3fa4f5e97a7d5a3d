"""Scores in the format of rliable (Agarwal et al. 2021): {name: [runs, tasks]}, saved as an .npz file of matrices.

    scores = dict(numpy.load("rliable.npz"))
    rliable.library.get_interval_estimates(scores, rliable.metrics.aggregate_iqm)

The intervals of rliable resample single (run, task) pairs, and are too narrow where runs share a seed. The intervals in
report.json resample whole seeds and whole tasks.
"""

from __future__ import annotations

import numpy as np

from metarl.benchmarks.results.results import Results


def matrices(results: Results) -> dict[str, np.ndarray]:
    """Return the AUAC of every method that was evaluated on all distributions with a scale: float64 [S, N].

    N is the number of tasks over all distributions, S the smallest number of seeds on any of them.
    """
    entries = [entry for entry in results.suite.entries if results.scale(entry, entry.scored)]
    by_method: dict[str, np.ndarray] = {}
    for name in results.methods:
        parts = [results.scores(entry, name, entry.scored) for entry in entries]
        if parts and all(part is not None for part in parts):
            auac = [part.auac for part in parts if part is not None]
            seeds = min(len(a) for a in auac)
            by_method[name] = np.concatenate([a[:seeds] for a in auac], 1)
    return by_method
