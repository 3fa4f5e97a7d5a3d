"""Goals: the part of a robot's task that defines its reward.

In reading order:

- `goal.py`: `Goal`, the base class, and `Motion`, the input of its reward terms.
- `velocity.py`, `direction.py`, `direction2d.py`: run at a hidden velocity or in a hidden direction.
- `advance.py`: run forward; for distributions in which only the dynamics vary.
- `place.py`, `sparse_place.py`, `reach.py`: move to a hidden position, with dense or sparse reward.
- `balance.py`, `swing_up.py`: keep a pole upright, or swing it up.
"""
