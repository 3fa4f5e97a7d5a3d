"""A feed-forward network with separate weights for each task: M networks at once, by batched products."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from metarl.agents.maml.layers import Layer, layer_inputs, tanh, tanh_layers

Params = dict[str, Tensor]  # weights by name, [M, *shape]: one set per task
Activation = Literal["tanh", "relu"]
CHANNELS = 16  # output channels of a convolution
HEAD = ("head_weight", "head_bias")


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": tanh, "relu": torch.relu}


class Network(nn.Module):
    """The meta-learned initial weights, and the forward pass with M sets of weights.

    Vectors go through `layers` hidden layers of `hidden_size` units. Planes [height, width, channels] go through two
    3x3 convolutions first. stds: size of a further parameter `log_std`, which is adapted like the weights.
    """

    def __init__(
        self, shape: tuple[int, ...], outputs: int, hidden_size: int = 64, layers: int = 2, stds: int = 0,
        initial_std: float = 1.0, activation: Activation = "tanh", head_gain: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shape = shape
        self.layers = layers
        self.activation = ACTIVATIONS[activation]
        self.meta = nn.ParameterDict()
        inputs = shape[0] if len(shape) == 1 else self._add_convolutions(shape)
        sizes = [inputs, *[hidden_size] * layers]
        for i in range(layers):
            self._add(f"layer{i}", sizes[i], sizes[i + 1])
        self._add("head", sizes[-1], outputs, head_gain)
        if stds:
            self.meta["log_std"] = nn.Parameter(torch.full((stds,), math.log(initial_std)))

    def params(self, tasks: int = 1) -> Params:
        """Return the initial weights for each of M tasks, as differentiable views."""
        return {name: weight.expand(tasks, *weight.shape) for name, weight in self.meta.items()}

    def forward(self, params: Params, x: Tensor) -> Tensor:
        """Return outputs [M, N, P] for inputs [M, N, *shape], with the weights `params` [M, ...] of each task."""
        if len(self.shape) == 3:
            x = self._convolve(params, x)
        layers = self.layers_of(params)
        if self.activation is tanh and not x.requires_grad and torch.is_grad_enabled():
            return tanh_layers(x, layers)
        return layer_inputs(x, layers, self.activation)[-1].contiguous()

    def layers_of(self, params: Params) -> list[Layer]:
        """Return weights and biases of the fully connected layers, the head last."""
        names = (*(f"layer{i}" for i in range(self.layers)), "head")
        return [(params[f"{name}_weight"], params[f"{name}_bias"]) for name in names]

    def _add(self, name: str, inputs: int, outputs: int, gain: float = 1.0) -> None:
        weight = nn.init.xavier_uniform_(torch.empty(inputs, outputs), gain)
        self.meta[f"{name}_weight"] = nn.Parameter(weight)
        self.meta[f"{name}_bias"] = nn.Parameter(torch.zeros(outputs))

    def _add_convolutions(self, shape: tuple[int, ...]) -> int:
        height, width, channels = shape
        for i, inputs in enumerate((channels, CHANNELS)):
            weight = nn.init.xavier_uniform_(torch.empty(CHANNELS, inputs, 3, 3))
            self.meta[f"convolution{i}_weight"] = nn.Parameter(weight)
            self.meta[f"convolution{i}_bias"] = nn.Parameter(torch.zeros(CHANNELS))
        return CHANNELS * math.ceil(height / 2) * math.ceil(width / 2)

    def _convolve(self, params: Params, x: Tensor) -> Tensor:
        """Return features [M, N, F] of planes [M, N, height, width, C]; the tasks are the groups of one convolution."""
        tasks, rows, height, width, channels = x.shape
        x = x.float() / 255 if x.dtype == torch.uint8 else x
        x = x.permute(1, 0, 4, 2, 3).reshape(rows, tasks * channels, height, width)
        for i, stride in enumerate((1, 2)):
            weight, bias = (params[f"convolution{i}_{part}"] for part in ("weight", "bias"))
            weight = weight.reshape(-1, *weight.shape[2:])
            x = conv2d(x, weight, bias.reshape(-1), stride=stride, padding=1, groups=tasks).relu()
        return x.reshape(rows, tasks, -1).transpose(0, 1)
