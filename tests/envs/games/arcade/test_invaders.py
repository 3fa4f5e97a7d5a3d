"""Invaders against a plain implementation of its rules."""

import numpy as np
import torch


class Rules:
    def __init__(self, task, random):
        self.task = task
        self.cannon = 5
        self.shot = None
        self.bombs = set()
        self.bomb_phase = 0  # eighths of the bombs' next step
        self.block(random)

    def block(self, random):
        self.aliens = {(rank, file): ("squid", "crab")[rank % 2] for rank in range(4) for file in range(6)}
        self.left, right = divmod(random.integer("block", 10), 2)
        self.top, self.right = 0, (-1, 1)[right]
        self.phase = 0  # eighths of the block's next step

    def hit(self):
        if self.shot is None:
            return 0.0
        kind = self.aliens.pop((self.shot[0] - self.top, self.shot[1] - self.left), None)
        if kind is None:
            return 0.0
        self.shot = None
        return self.task["value"][("squid", "crab").index(kind)]

    def march(self):
        self.phase += self.task["march"]
        if self.phase < 8:
            return
        self.phase -= 8
        if 0 <= self.left + self.right <= 4:
            self.left += self.right
        else:
            self.top += 1
            self.right = -self.right

    def step(self, action, random):
        game_action = ("left", "stay", "right", "fire")[self.task["controls"][action]]
        self.cannon = max(0, self.cannon - 1) if game_action == "left" else self.cannon
        self.cannon = min(9, self.cannon + 1) if game_action == "right" else self.cannon
        if self.shot is None:
            self.shot = (8, self.cannon) if game_action == "fire" else None
        else:
            self.shot = (self.shot[0] - 1, self.shot[1]) if self.shot[0] > 0 else None
        reward = self.hit()
        self.march()
        reward += self.hit()
        if not self.aliens:
            self.block(random)

        self.bomb_phase += self.task["fall"]
        if self.bomb_phase >= 8:
            self.bomb_phase -= 8
            self.bombs = {(row + 1, column) for row, column in self.bombs if row < 9}
        if not self.bombs:
            self.bomb_phase = 0
        drawn = 6 * float(random.rng.uniform("bomb", dtype=torch.float64))
        file = int(drawn)
        ranks = [rank for rank, alien_file in self.aliens if alien_file == file]
        if ranks and drawn - file < self.task["bombs"]:
            self.bombs.add((min(9, self.top + max(ranks) + 1), self.left + file))
        return reward, (9, self.cannon) in self.bombs or self.top + 3 == 9

    def planes(self):
        board = np.zeros((10, 10, 6), np.float32)
        board[9, self.cannon, 0] = 1
        for (rank, file), kind in self.aliens.items():
            board[self.top + rank, self.left + file, 1 if kind == "squid" else 2] = 0.5 + self.phase / 16
        board[self.top, self.left, 3] = 1 if self.right > 0 else 0.5
        if self.shot:
            board[(*self.shot, 4)] = 1
        for row, column in self.bombs:
            board[row, column, 5] = 0.5 + self.bomb_phase / 16
        return board


def test_invaders_equals_its_rules(compare_with_rules):
    values = compare_with_rules("Invaders", Rules, steps=250, num_envs=12)
    assert values["reward"] == {-1.0, 0.0, 1.0}
    assert values["terminated"] == {False, True}
