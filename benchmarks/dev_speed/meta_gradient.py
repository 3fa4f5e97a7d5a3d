"""The meta-gradient through one inner step, computed for all tasks at once and in other ways."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from metarl.benchmarks.dev_speed.peers import installed
from metarl.benchmarks.dev_speed.side import Side

INNER_LR = 0.1


class MetaGradient(Side):
    """The gradient of M tasks' losses after one inner step, through that step.

    The losses are regressions, so that only the differentiation is timed. Work is counted in rows of a task's inner
    and outer batch.

    way: "batched" (this package), "loop" (torch.nn modules, one task after the other), "vmap" (of grad of
    functional_call), "learn2learn" (its MAML wrapper, one task after the other). Raises MetarlError where learn2learn
    is not installed.
    """

    def __init__(
        self, way: str, tasks: int, rows: int, inputs: int = 17, outputs: int = 6, hidden_size: int = 64
    ) -> None:
        g = torch.Generator().manual_seed(0)
        self.x, self.xq = torch.randn(2, tasks, rows, inputs, generator=g)
        self.y, self.yq = torch.randn(2, tasks, rows, outputs, generator=g)
        self.rows = 2 * tasks * rows
        ways = {"batched": self._batched, "loop": self._loop, "vmap": self._vmap, "learn2learn": self._learn2learn}
        self._gradient = ways[way](hidden_size)

    def work(self) -> int:
        self._gradient()
        return self.rows

    def weights(self) -> list[Tensor]:
        """Return the differentiated weight matrices and biases, first layer first."""
        return list(self._network.parameters())

    def _batched(self, hidden_size: int) -> Callable[[], Any]:
        from metarl.agents.maml.inner_update import StepSizes
        from metarl.agents.maml.network import Network

        self._network = network = Network((self.x.shape[-1],), self.y.shape[-1], hidden_size)
        step_sizes = StepSizes(network, INNER_LR, learned=False, head_only=False)

        def gradient() -> None:
            losses = lambda params: (network(params, self.x) - self.y).square().mean((1, 2))  # noqa: E731
            adapted = step_sizes.inner_update().step(network.params(len(self.x)), losses, differentiable=True)
            (network(adapted, self.xq) - self.yq).square().mean((1, 2)).mean().backward()

        return gradient

    def _module(self, hidden_size: int) -> nn.Sequential:
        sizes = (self.x.shape[-1], hidden_size, hidden_size, self.y.shape[-1])
        layers = [module for n, m in pairwise(sizes) for module in (nn.Linear(n, m), nn.Tanh())]
        return nn.Sequential(*layers[:-1])

    def _loop(self, hidden_size: int) -> Callable[[], Any]:
        self._network = module = self._module(hidden_size)

        def add_gradient(x: Tensor, y: Tensor, xq: Tensor, yq: Tensor) -> None:
            weights = dict(module.named_parameters())
            loss = (module(x) - y).square().mean()
            grads = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
            adapted = {n: w - INNER_LR * g for (n, w), g in zip(weights.items(), grads, strict=True)}
            ((functional_call(module, adapted, (xq,)) - yq).square().mean() / len(self.x)).backward()

        def gradient() -> None:
            for task in zip(self.x, self.y, self.xq, self.yq, strict=True):
                add_gradient(*task)

        return gradient

    def _vmap(self, hidden_size: int) -> Callable[[], Any]:
        self._network = module = self._module(hidden_size)
        weights: dict[str, Tensor] = dict(module.named_parameters())

        def loss(w: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            return (functional_call(module, w, (x,)) - y).square().mean()

        def adapted_loss(w: dict[str, Tensor], x: Tensor, y: Tensor, xq: Tensor, yq: Tensor) -> Tensor:
            grads = grad(loss)(w, x, y)
            return loss({n: w[n] - INNER_LR * grads[n] for n in w}, xq, yq)

        def gradient() -> None:
            batched = vmap(adapted_loss, in_dims=(None, 0, 0, 0, 0))
            batched(weights, self.x, self.y, self.xq, self.yq).mean().backward()

        return gradient

    def _learn2learn(self, hidden_size: int) -> Callable[[], Any]:
        cure = "pip install learn2learn (0.2.0, its last release, does not build on Python 3.11)"
        wrapper = installed("learn2learn.algorithms.maml", cure).MAML
        self._network = module = self._module(hidden_size)
        maml = wrapper(module, lr=INNER_LR)

        def gradient() -> None:
            for x, y, xq, yq in zip(self.x, self.y, self.xq, self.yq, strict=True):
                learner = maml.clone()
                learner.adapt((learner(x) - y).square().mean())
                ((learner(xq) - yq).square().mean() / len(self.x)).backward()

        return gradient
