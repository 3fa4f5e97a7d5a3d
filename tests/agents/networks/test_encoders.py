"""Encoders turn planes and pixels with any leading axes into vectors; other spaces raise MetarlError."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from metarl import MetarlError
from metarl.agents.networks.encoders import encoder_of


@pytest.mark.parametrize("shape", [(10, 10, 4), (84, 84, 3)])
def test_leading_axes_are_kept_and_rows_are_independent(shape):
    encoder = encoder_of(Box(0, 1, shape, np.float32), 7)
    assert encoder is not None
    x = torch.rand(3, 2, *shape, generator=torch.Generator().manual_seed(0))
    features = encoder(x)
    assert features.shape == (3, 2, 7)
    torch.testing.assert_close(features[2, 1], encoder(x[2, 1]).reshape(7))


def test_bytes_are_scaled_to_unit():
    encoder = encoder_of(Box(0, 255, (40, 40, 3), np.uint8), 5)
    assert encoder is not None
    pixels = torch.randint(256, (2, 40, 40, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(encoder(pixels), encoder(pixels.float() / 255))


def test_vectors_have_no_encoder():
    assert encoder_of(Box(-1, 1, (3,), np.float32), 7) is None


@pytest.mark.parametrize("space", [Discrete(3), Box(0, 1, (2, 2), np.float32)])
def test_other_spaces_raise(space):
    with pytest.raises(MetarlError, match="vectors, or planes"):
        encoder_of(space, 7)
