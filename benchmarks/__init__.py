"""Benchmarks: how fast agents adapt to unseen tasks, with intervals.

Read in this order; a folder imports only from those above it:

1. `suites/`: task distributions, frozen tasks, budgets and methods, as JSON files.
2. `job/`: trainings and evaluations, run in processes and stored in a folder.
3. `results/`: evaluations of one or several folders, and their scores.
4. `statistics/`: aggregates, bootstrap intervals and comparisons of arrays. They import nothing of metarl.
5. `report/`: the report as data, tables, figures and pages.
6. `commands/`: the commands `metarl benchmark`, `metarl report` and others.

`dev_speed/` is separate: measurements of metarl's own speed, for its developers.
"""
