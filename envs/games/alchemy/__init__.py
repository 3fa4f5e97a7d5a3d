"""Symbolic Alchemy (Wang et al. 2021): stones, potions, and a hidden chemistry.

In reading order:

- `chemistry.py`: the 167,424 chemistries as tables: values of stones, moves by potions, and appearances.
- `symbolic.py`: the world `SymbolicAlchemy` and its simulation.

A chemistry is a task. It holds for all episodes of a trial, and the agent must identify it by experiments.
"""
