"""Arcade games on a board of 10 x 10 cells, observed as planes or pixels.

In reading order:

- `board.py`: the board, speeds in eighths of a cell, and `Canvas`, on which games draw.
- `screen.py`: pixels, the second implementation of `Canvas`.
- `game.py`: `ArcadeGame`, the base class, and `ArcadeSimulation`.
- `catch.py`: the shortest game.
- `breakout.py`, `pong.py`, `freeway.py`, `invaders.py`: the other games.

A game is a set of pure functions on tensors; tasks vary speeds, values of objects, and the assignment of actions.
"""
