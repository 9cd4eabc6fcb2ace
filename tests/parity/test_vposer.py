"""VPoser v2 against a plain restatement of its published layers, on made-up weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from crowdstream.kernels.priors.vposer import VPoser
from crowdstream.kernels.rotation import rotvec_to_rotmat


def made_up(seed: int = 0) -> VPoser:
    torch.manual_seed(seed)
    network = VPoser()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("running_var"):
                value.copy_(0.5 + torch.rand(value.shape))
            elif value.is_floating_point():
                value.copy_(torch.randn(value.shape) / max(1, value.shape[-1]) ** 0.5)
    return network


def layer(state: dict[str, Tensor], name: str, x: np.ndarray) -> np.ndarray:
    weight, bias = (state[f"{name}.{part}"].double().numpy() for part in ("weight", "bias"))
    return x @ weight.T + bias


def normed(state: dict[str, Tensor], name: str, x: np.ndarray) -> np.ndarray:
    parts = ("running_mean", "running_var", "weight", "bias")
    mean, variance, weight, bias = (state[f"{name}.{part}"].double().numpy() for part in parts)
    return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.01 * x)


def encode(state: dict[str, Tensor], pose: np.ndarray) -> np.ndarray:
    x = normed(state, "encoder_net.1", pose.reshape(1, 63))
    x = leaky(layer(state, "encoder_net.2", x))
    x = normed(state, "encoder_net.4", x)
    x = layer(state, "encoder_net.7", layer(state, "encoder_net.6", x))
    return layer(state, "encoder_net.8.mu", x)[0]


def decode(state: dict[str, Tensor], z: np.ndarray) -> np.ndarray:
    x = leaky(layer(state, "decoder_net.0", z[None]))
    x = leaky(layer(state, "decoder_net.3", x))
    pairs = layer(state, "decoder_net.5", x).reshape(21, 3, 2)
    rotmats = np.empty((21, 3, 3))
    for joint, pair in enumerate(pairs):
        first = pair[:, 0] / np.linalg.norm(pair[:, 0])
        second = pair[:, 1] - first * (first @ pair[:, 1])
        second /= np.linalg.norm(second)
        rotmats[joint] = np.stack([first, second, np.cross(first, second)], axis=1)
    return rotmats


def test_it_encodes_and_decodes_as_published() -> None:
    network = made_up()
    state = network.state_dict()
    pose = 0.5 * torch.randn(3, 24, 3)
    with torch.no_grad():
        z = network.encode(pose)
        whole = network.decode(z, pose[:, 0])
    for k in range(3):
        np.testing.assert_allclose(z[k].numpy(), encode(state, pose[k, 1:22].double().numpy()), atol=2e-5)
        found = rotvec_to_rotmat(whole[k, 1:22]).numpy()
        np.testing.assert_allclose(found, decode(state, z[k].double().numpy()), atol=5e-5)


def test_it_never_goes_into_training_mode() -> None:
    network = made_up()
    pose = torch.randn(4, 24, 3)
    before = network.encode(pose)
    network.train()
    torch.testing.assert_close(network.encode(pose), before)
    assert not network.training
