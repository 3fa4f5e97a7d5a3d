"""Catch against its rules told plainly."""

import numpy as np


class Rules:
    def __init__(self, task, dice):
        self.task = {"controls": [0, 1, 2], "gravity": 0, "wind": 0, "value": [1, 1], **task}
        self.paddle = 5
        self.drop(dice)

    def drop(self, dice):
        self.age = 0
        self.top = dice.integer("column", 10)
        self.kind = dice.integer("kind", 2)

    def place(self):
        """Row, column and eighths of the way to the next row, from the formula of the fall."""
        t = self.age
        fallen = self.task["speed"] * t + self.task["gravity"] * t * (t - 1) // 2
        row = min(fallen // 8, 9)
        return row, (self.top + self.task["wind"] * row) % 10, fallen % 8

    def step(self, action, dice):
        press = ("left", "stay", "right")[self.task["controls"][action]]
        if press == "left" and self.paddle > 0:
            self.paddle -= 1
        if press == "right" and self.paddle < 9:
            self.paddle += 1
        self.age += 1
        row, column, _ = self.place()
        if row < 9:
            return 0.0, False
        earned = self.task["value"][self.kind] if abs(column - self.paddle) <= self.task["reach"] else 0.0
        self.drop(dice)
        return earned, False

    def planes(self):
        board = np.zeros((10, 10, 3), np.float32)
        board[9, self.paddle, 0] = 1
        row, column, eighths = self.place()
        board[row, column, 1 + self.kind] = 0.5 + eighths / 16
        return board


def test_catch(agrees):
    assert agrees("Catch", Rules)["reward"] == {-1.0, 0.0, 1.0}


def test_catch_with_gravity_and_wind(agrees):
    assert 1.0 in agrees("CatchGravity", lambda task, dice: Rules({"value": [1, 1], **task}, dice))["reward"]
