"""RuleGrid: a room of objects that change by hidden production rules, with a hidden goal.

In reading order:

- `rulesets.py`: the grammar of rules and goals, and `Rulesets`, a sampler of solvable rulesets.
- `world.py`: the world `RuleGrid` and its simulation.

The idea is that of XLand-MiniGrid (Nikulin et al. 2023); the rules are different.
"""
