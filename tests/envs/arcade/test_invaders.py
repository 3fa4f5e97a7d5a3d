"""Invaders against its rules told plainly."""

import numpy as np
import torch


class Rules:
    def __init__(self, task, dice):
        self.task = task
        self.cannon = 5
        self.shot = None
        self.bombs = set()
        self.waited = 0  # eighths of the bombs' next fall
        self.block(dice)

    def block(self, dice):
        self.aliens = {(rank, file): ("squid", "crab")[rank % 2] for rank in range(4) for file in range(6)}
        self.left, right = divmod(dice.integer("block", 10), 2)
        self.top, self.right = 0, (-1, 1)[right]
        self.rested = 0  # eighths of the block's next step

    def hit(self):
        if self.shot is None:
            return 0.0
        kind = self.aliens.pop((self.shot[0] - self.top, self.shot[1] - self.left), None)
        if kind is None:
            return 0.0
        self.shot = None
        return self.task["value"][("squid", "crab").index(kind)]

    def march(self):
        self.rested += self.task["march"]
        if self.rested < 8:
            return
        self.rested -= 8
        if 0 <= self.left + self.right <= 4:
            self.left += self.right
        else:
            self.top += 1
            self.right = -self.right

    def step(self, action, dice):
        pressed = ("left", "stay", "right", "fire")[self.task["controls"][action]]
        self.cannon = max(0, self.cannon - 1) if pressed == "left" else self.cannon
        self.cannon = min(9, self.cannon + 1) if pressed == "right" else self.cannon
        if self.shot is None:
            self.shot = (8, self.cannon) if pressed == "fire" else None
        else:
            self.shot = (self.shot[0] - 1, self.shot[1]) if self.shot[0] > 0 else None
        reward = self.hit()
        self.march()
        reward += self.hit()
        if not self.aliens:
            self.block(dice)

        self.waited += self.task["fall"]
        if self.waited >= 8:
            self.waited -= 8
            self.bombs = {(row + 1, column) for row, column in self.bombs if row < 9}
        if not self.bombs:
            self.waited = 0
        drawn = 6 * float(dice.counted.uniform("bomb", dtype=torch.float64))
        file = int(drawn)
        ranks = [rank for rank, at in self.aliens if at == file]
        if ranks and drawn - file < self.task["bombs"]:
            self.bombs.add((min(9, self.top + max(ranks) + 1), self.left + file))
        return reward, (9, self.cannon) in self.bombs or self.top + 3 == 9

    def planes(self):
        board = np.zeros((10, 10, 6), np.float32)
        board[9, self.cannon, 0] = 1
        for (rank, file), kind in self.aliens.items():
            board[self.top + rank, self.left + file, 1 if kind == "squid" else 2] = 0.5 + self.rested / 16
        board[self.top, self.left, 3] = 1 if self.right > 0 else 0.5
        if self.shot:
            board[(*self.shot, 4)] = 1
        for row, column in self.bombs:
            board[row, column, 5] = 0.5 + self.waited / 16
        return board


def test_invaders(agrees):
    seen = agrees("Invaders", Rules, steps=250, num_envs=12)
    assert seen["reward"] == {-1.0, 0.0, 1.0}
    assert seen["over"] == {False, True}
