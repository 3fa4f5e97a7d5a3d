"""Results: the evaluations of one or several folders of a suite, and their scores.

Read in this order:

1. `scores.py`: scores of returns, as pure functions of arrays.
2. `references.py`: the returns of the score anchors (random, oracle, Bayes-optimal), and the file that stores them.
3. `results.py`: `SeedResults` and `Results`, all evaluations of a suite.
4. `score_anchors.py`: the choice of the anchors that a report's scores are based on.
5. `merge.py`: the conditions for merging several folders.
6. `load_results.py`: reading of folders into `Results`.
7. `rliable.py` and `published.py`: scores in the format of rliable, and numbers printed in papers.
"""
