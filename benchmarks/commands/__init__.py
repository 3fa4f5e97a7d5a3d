"""Commands of `metarl`, one in each file: options, the function that runs them, and a `COMMAND` for the entry point.

Read in this order:

1. `benchmark.py`: train, evaluate and compare agents on a suite. `references.py` prepares a suite for it.
2. `report.py`: write the report of one or several folders.
3. `verify.py`: repeat one evaluation and compare.
4. `curve.py`, `watch.py`: training curves and videos of single runs.
5. `optima.py`: agents that use the distribution of tasks, beside published numbers.
6. `demo.py`: train and evaluate one agent in minutes.
7. `speed.py`: env steps per second on this machine.

`metarl --help` imports these modules. Modules that import torch are therefore imported within functions.
"""
