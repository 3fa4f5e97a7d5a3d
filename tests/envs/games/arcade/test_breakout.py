"""Breakout against a plain implementation of its rules."""

import numpy as np


class Rules:
    def __init__(self, task, random):
        self.task = task
        self.paddle = 5
        self.ball = [4, 1 + random.integer("column", 8)]
        self.heading = [1, (-1, 1)[random.integer("right", 2)]]
        self.phase = 0  # eighths of the ball's next step
        self.wall = {(row, column) for row in (1, 2, 3) for column in range(10)}

    def step(self, action, random):
        self.paddle = min(9, max(0, self.paddle + self.task["controls"][action] - 1))
        self.phase += self.task["speed"]
        if self.phase < 8:
            return 0.0, False
        self.phase -= 8
        reward, terminated = 0.0, False
        row, column = self.ball[0] + self.heading[0], self.ball[1] + self.heading[1]
        if (row, column) in self.wall:
            self.wall.remove((row, column))
            reward = self.task["value"][row - 1]
            self.heading[0] *= -1
            row = self.ball[0]
            if not self.wall:
                self.wall = {(row, column) for row in (1, 2, 3) for column in range(10)}
        elif row == 9:
            if abs(column - self.paddle) > self.task["reach"]:
                terminated = True
            else:
                row, self.heading[0] = 8, -1
                if column < self.paddle:
                    self.heading[1] = -1
                if column > self.paddle:
                    self.heading[1] = 1
        self.ball = [row, column]
        if row == 0:
            self.heading[0] = 1
        if column in (0, 9):
            self.heading[1] = 1 if column == 0 else -1
        return reward, terminated

    def planes(self):
        board = np.zeros((10, 10, 6), np.float32)
        board[9, self.paddle, 0] = 1
        board[self.ball[0], self.ball[1], 1] = 0.5 + self.phase / 16
        board[self.ball[0] + self.heading[0], self.ball[1] + self.heading[1], 2] = 1
        for row, column in self.wall:
            board[row, column, 2 + row] = 1
        return board


def test_breakout_equals_its_rules(compare_with_rules):
    values = compare_with_rules("Breakout", Rules, steps=250, num_envs=16)
    assert values["reward"] == {-1.0, 0.0, 1.0}
    assert values["terminated"] == {False, True}
