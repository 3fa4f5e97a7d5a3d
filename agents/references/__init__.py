"""Reference agents, to compare meta-learned agents with. They know the distribution of tasks and have no weights.

The agents that are given the task have a return that no other agent exceeds on average. In reading order:

- random_agent.py: uniform random actions.
- arms.py: the base class of bandit algorithms; epsilon_greedy.py, ucb1.py, thompson.py and gittins.py (with
  gittins_index.py) are such algorithms, and best_arm.py is given the arms' means.
- tables.py: the base class of algorithms for tabular MDPs; psrl.py, opsrl.py and ucrl2.py are such algorithms, and
  known_table.py is given the MDP.
- cells.py: the base class of searches on grids; exhaustive_search.py and bayes_search.py (with search_plan.py) are such
  searches, and straight_walk.py is given the goal.
- point_sampling.py: posterior sampling for a goal in the plane.
- alchemy.py: posterior sampling for Alchemy.
"""
