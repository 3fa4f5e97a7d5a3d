"""Pong against its rules told plainly."""

import numpy as np


def toward(a, b):
    return (b > a) - (b < a)


class Rules:
    def __init__(self, task, dice):
        self.task = {"value": [1, -1], **task}
        self.paddle = self.opponent = 5
        self.rested = 0  # eighths of the opponent's next step
        self.serve(dice)

    def serve(self, dice):
        self.row = dice.integer("row", 8) + 1
        self.column, self.right = ((4, -1), (5, 1))[dice.integer("right", 2)]
        self.down = (-1, 0, 1)[dice.integer("down", 3)]
        self.waited = 0

    def strike(self, paddle):
        """Whether a paddle in this row reaches the ball, which then leaves it."""
        if abs(self.row - paddle) > self.task["reach"]:
            return False
        self.right = -self.right
        self.column += self.right
        self.down = toward(paddle, self.row) or self.down
        return True

    def step(self, action, dice):
        self.paddle += {"up": -1, "stay": 0, "down": 1}[("up", "stay", "down")[self.task["controls"][action]]]
        self.paddle = sorted((0, self.paddle, 9))[1]
        self.rested += self.task["opponent"]
        if self.rested >= 8:
            self.rested -= 8
            self.opponent += toward(self.opponent, self.row)
        reward = 0.0
        self.waited += self.task["speed"]
        if self.waited >= 8:
            self.waited -= 8
            self.row += self.down
            self.column += self.right
            if self.column == 9 and not self.strike(self.paddle):
                reward = self.task["value"][1]
                self.serve(dice)
            elif self.column == 0 and not self.strike(self.opponent):
                reward = self.task["value"][0]
                self.serve(dice)
            if not 0 <= self.row + self.down <= 9:
                self.down = -self.down
        return reward, False

    def planes(self):
        board = np.zeros((10, 10, 4), np.float32)
        board[self.paddle, 9, 0] = 1
        board[self.opponent, 0, 1] = 0.5 + self.rested / 16
        board[self.row, self.column, 2] = 0.5 + self.waited / 16
        board[self.row + self.down, self.column + self.right, 3] = 1
        return board


def test_pong(agrees):
    assert agrees("Pong", Rules, num_envs=12)["reward"] == {-1.0, 0.0, 1.0}
