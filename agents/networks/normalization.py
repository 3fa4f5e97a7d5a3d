"""Running means and variances for the normalisation of inputs, constant during an update and saved with the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from metarl.core import returns
from metarl.runtime import distributed


class RunningNorm(nn.Module):
    """Mean and variance of all samples so far, float64 [*shape], merged batch by batch (Chan et al. 1979).

    limit: the weight of old samples, in samples, at most. A finite limit lets the statistics follow a drift.
    """

    mean: Tensor
    var: Tensor
    count: Tensor

    def __init__(self, shape: tuple[int, ...], limit: float = float("inf")) -> None:
        super().__init__()
        self.limit = limit
        self.register_buffer("mean", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("var", torch.ones(shape, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self._shift, self._scale = torch.zeros(shape), torch.ones(shape)

    def update(self, x: Tensor) -> None:
        """Merge the samples x [N, *shape] of all processes."""
        n, mean, var = distributed.moments(x.double())
        total = self.count + n
        delta = mean - self.mean
        self.var.copy_((self.var * self.count + var * n + delta.square() * self.count * n / total) / total)
        self.mean.add_(delta * n / total)
        self.count.copy_(total.clamp(max=self.limit))
        self._refresh()

    def forward(self, x: Tensor, limit: float = 10.0) -> Tensor:
        """Return (x - mean) / std for x float32 [..., *shape], limited to +-`limit` standard deviations."""
        return self.centre(x).clamp_(-limit, limit)

    def scale(self, x: Tensor) -> Tensor:
        """Return x / std."""
        return x * self._scale

    def unscale(self, x: Tensor) -> Tensor:
        """Return the inverse of `centre`."""
        return (x - self._shift) / self._scale

    def centre(self, x: Tensor) -> Tensor:
        """Return (x - mean) / std, without a limit."""
        return torch.addcmul(self._shift, x, self._scale)

    def _refresh(self) -> None:
        std = (self.var + 1e-8).sqrt()
        self._scale.copy_(std.reciprocal())  # in place: a captured graph reads these addresses
        self._shift.copy_(-self.mean / std)

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        if self.count > 0:
            self._refresh()

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self._shift, self._scale = fn(self._shift), fn(self._scale)
        return self


def standardize(x: Tensor, mask: Tensor) -> Tensor:
    """Return x [...] with mean 0 and standard deviation 1 over the masked steps of all processes."""
    centre = _mean(x, mask)
    return (x - centre) / (_mean((x - centre).square(), mask).sqrt() + 1e-8)


def _mean(x: Tensor, mask: Tensor) -> Tensor:
    mean = returns.masked_mean(x, mask)
    distributed.average_([mean], mask.sum())
    return mean
