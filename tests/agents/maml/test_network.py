"""M networks at once, compared with a loop over networks."""

import pytest
import torch
from torch import nn

from metarl.agents.maml.network import Network

M, N = 3, 5


def random_weights(network: Network) -> dict[str, torch.Tensor]:
    """Return different weights for each of M tasks."""
    g = torch.Generator().manual_seed(1)
    return {name: p + 0.3 * torch.randn(p.shape, generator=g) for name, p in network.params(M).items()}


def torch_network(network: Network, weights: dict[str, torch.Tensor]) -> nn.Sequential:
    """Return the network of one task, made of torch.nn modules."""
    modules: list[nn.Module] = []

    def append(module: nn.Module, name: str, transposed: bool) -> None:
        weight = weights[f"{name}_weight"]
        module.load_state_dict({"weight": weight.T if transposed else weight, "bias": weights[f"{name}_bias"]})
        modules.append(module)

    if len(network.shape) == 3:
        for i, stride in enumerate((1, 2)):
            out, inputs = weights[f"convolution{i}_weight"].shape[:2]
            append(nn.Conv2d(inputs, out, 3, stride=stride, padding=1), f"convolution{i}", False)
            modules.append(nn.ReLU())
        modules.append(nn.Flatten())
    for name in (*(f"layer{i}" for i in range(network.layers)), "head"):
        inputs, out = weights[f"{name}_weight"].shape
        append(nn.Linear(inputs, out), name, True)
        modules.append(nn.Tanh())
    return nn.Sequential(*modules[:-1])


@pytest.mark.parametrize("shape", [(7,), (5, 6, 2)])
def test_batched_networks_equal_a_loop(shape):
    network = Network(shape, outputs=4, hidden_size=8, layers=2)
    params = random_weights(network)
    x = torch.randn(M, N, *shape, generator=torch.Generator().manual_seed(2))
    batched = network(params, x)
    for i in range(M):
        rows = x[i].movedim(-1, 1) if len(shape) == 3 else x[i]
        single = torch_network(network, {name: value[i] for name, value in params.items()})(rows)
        torch.testing.assert_close(batched[i], single, rtol=1e-5, atol=1e-5)


def test_one_set_of_weights_equals_equal_sets():
    network = Network((4,), outputs=2)
    x = torch.randn(1, 6, 4)
    torch.testing.assert_close(network(network.params(1), x)[0], network(network.params(6), x.movedim(1, 0))[:, 0])


def test_bytes_are_scaled_to_unit():
    network = Network((5, 5, 3), outputs=2, hidden_size=8)
    pixels = torch.randint(256, (1, 4, 5, 5, 3), dtype=torch.uint8)
    torch.testing.assert_close(network(network.params(), pixels), network(network.params(), pixels.float() / 255))
