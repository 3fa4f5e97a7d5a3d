"""Catch against a plain implementation of its rules."""

import numpy as np


class Rules:
    def __init__(self, task, random):
        self.task = {"controls": [0, 1, 2], "gravity": 0, "wind": 0, "value": [1, 1], **task}
        self.paddle = 5
        self.drop(random)

    def drop(self, random):
        self.age = 0
        self.top = random.integer("column", 10)
        self.kind = random.integer("kind", 2)

    def place(self):
        """Return row, column and progress to the next row in eighths, from the formula of the fall."""
        t = self.age
        fallen = self.task["speed"] * t + self.task["gravity"] * t * (t - 1) // 2
        row = min(fallen // 8, 9)
        return row, (self.top + self.task["wind"] * row) % 10, fallen % 8

    def step(self, action, random):
        game_action = ("left", "stay", "right")[self.task["controls"][action]]
        if game_action == "left" and self.paddle > 0:
            self.paddle -= 1
        if game_action == "right" and self.paddle < 9:
            self.paddle += 1
        self.age += 1
        row, column, _ = self.place()
        if row < 9:
            return 0.0, False
        reward = self.task["value"][self.kind] if abs(column - self.paddle) <= self.task["reach"] else 0.0
        self.drop(random)
        return reward, False

    def planes(self):
        board = np.zeros((10, 10, 3), np.float32)
        board[9, self.paddle, 0] = 1
        row, column, eighths = self.place()
        board[row, column, 1 + self.kind] = 0.5 + eighths / 16
        return board


def test_catch_equals_its_rules(compare_with_rules):
    assert compare_with_rules("Catch", Rules)["reward"] == {-1.0, 0.0, 1.0}


def test_catch_with_gravity_and_wind_equals_its_rules(compare_with_rules):
    assert 1.0 in compare_with_rules("CatchGravity", Rules)["reward"]
