"""Pong against a plain implementation of its rules."""

import numpy as np


def toward(a, b):
    return (b > a) - (b < a)


class Rules:
    def __init__(self, task, random):
        self.task = {"value": [1, -1], **task}
        self.paddle = self.opponent = 5
        self.opponent_phase = 0  # eighths of the opponent's next step
        self.serve(random)

    def serve(self, random):
        self.row = random.integer("row", 8) + 1
        self.column, self.right = ((4, -1), (5, 1))[random.integer("right", 2)]
        self.down = (-1, 0, 1)[random.integer("down", 3)]
        self.phase = 0  # eighths of the ball's next step

    def strike(self, paddle):
        """Return whether a paddle in this row reaches the ball, and reflect the ball if so."""
        if abs(self.row - paddle) > self.task["reach"]:
            return False
        self.right = -self.right
        self.column += self.right
        self.down = toward(paddle, self.row) or self.down
        return True

    def step(self, action, random):
        self.paddle += {"up": -1, "stay": 0, "down": 1}[("up", "stay", "down")[self.task["controls"][action]]]
        self.paddle = sorted((0, self.paddle, 9))[1]
        self.opponent_phase += self.task["opponent"]
        if self.opponent_phase >= 8:
            self.opponent_phase -= 8
            self.opponent += toward(self.opponent, self.row)
        reward = 0.0
        self.phase += self.task["speed"]
        if self.phase >= 8:
            self.phase -= 8
            self.row += self.down
            self.column += self.right
            if self.column == 9 and not self.strike(self.paddle):
                reward = self.task["value"][1]
                self.serve(random)
            elif self.column == 0 and not self.strike(self.opponent):
                reward = self.task["value"][0]
                self.serve(random)
            if not 0 <= self.row + self.down <= 9:
                self.down = -self.down
        return reward, False

    def planes(self):
        board = np.zeros((10, 10, 4), np.float32)
        board[self.paddle, 9, 0] = 1
        board[self.opponent, 0, 1] = 0.5 + self.opponent_phase / 16
        board[self.row, self.column, 2] = 0.5 + self.phase / 16
        board[self.row + self.down, self.column + self.right, 3] = 1
        return board


def test_pong_equals_its_rules(compare_with_rules):
    assert compare_with_rules("Pong", Rules, num_envs=12)["reward"] == {-1.0, 0.0, 1.0}
