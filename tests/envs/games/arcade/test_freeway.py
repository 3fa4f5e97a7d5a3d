"""Freeway against a plain implementation of its rules."""

import numpy as np


class Rules:
    def __init__(self, task, random):
        self.task = task
        self.row = 9
        self.starts = random.rng.integers("cars", 10, (8,))[0].tolist()
        self.age = 0

    def cars(self):
        """Yield lane, column and progress to the next column in eighths, from the time since the start."""
        for lane, (start, speed) in enumerate(zip(self.starts, self.task["speed"], strict=True), 1):
            cells, eighths = divmod(abs(speed) * self.age, 8)
            yield lane, (start + (cells if speed > 0 else -cells)) % 10, eighths

    def step(self, action, random):
        self.age += 1
        self.row = min(9, self.row + (-1, 0, 1)[self.task["controls"][action]])
        if self.row == 0:
            self.row = 9
            return self.task["value"][0], False
        if any((lane, column) == (self.row, 5) for lane, column, _ in self.cars()):
            self.row = 9
            return self.task["value"][1], False
        return 0.0, False

    def planes(self):
        board = np.zeros((10, 10, 2), np.float32)
        board[self.row, 5, 0] = 1
        for lane, column, eighths in self.cars():
            board[lane, column, 1] = 0.5 + eighths / 16
        return board


def test_freeway_equals_its_rules(compare_with_rules):
    assert compare_with_rules("Freeway", Rules, odds=[0.7, 0.15, 0.15])["reward"] == {-1.0, 0.0, 1.0}
