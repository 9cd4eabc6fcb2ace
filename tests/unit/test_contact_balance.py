"""Contacts told as often as they happen."""

from __future__ import annotations

import torch

from crowdstream.kernels.priors.motion_prior import MotionPrior, MotionPriorConfig
from crowdstream.kernels.priors.motion_state import CONTACTS
from crowdstream.lab.training.contact_balance import STRANGER_SHIFT, balance_contacts

SMALL = MotionPriorConfig(
    width=16, heads=2, encoder_layers=1, decoder_layers=1, global_width=16, token_latent=4
)


def _case(rate: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(4000, CONTACTS, generator=generator) - 2.0
    return logits, torch.rand(4000, CONTACTS, generator=generator) < rate


def test_as_many_contacts_are_told_as_are_labelled() -> None:
    network = MotionPrior(SMALL)
    logits, labels = _case(0.3)
    shift = balance_contacts(network, logits, labels)
    told = (logits + shift > STRANGER_SHIFT).float().mean(0)
    torch.testing.assert_close(told, labels.float().mean(0), atol=1e-3, rtol=0)


def test_the_network_itself_says_so_afterwards() -> None:
    torch.manual_seed(0)
    network = MotionPrior(SMALL).eval()
    z = torch.randn(3, 384)
    with torch.no_grad():
        before = network.decode(z)
        logits, labels = _case(0.3)
        shift = balance_contacts(network, logits, labels)
        after = network.decode(z)
    torch.testing.assert_close(after.contact_logits, before.contact_logits + shift)
    torch.testing.assert_close(after.rotmats, before.rotmats)


def test_a_joint_that_never_touches_is_left_alone() -> None:
    logits, labels = _case(0.3)
    labels[:, 5] = False
    assert float(balance_contacts(MotionPrior(SMALL), logits, labels)[5]) == 0.0
