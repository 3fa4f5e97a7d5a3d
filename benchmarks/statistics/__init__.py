"""Statistics: aggregates, intervals and comparisons of arrays of scores.

Read in this order:

1. `aggregates.py`: the interquartile mean and other aggregates.
2. `bootstrap.py`: intervals by resampling of whole seeds and whole tasks.
3. `comparisons.py`: tests, probability of improvement and ranks.

These modules import nothing else of metarl: they are functions of NumPy arrays.
"""
