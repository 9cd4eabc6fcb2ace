"""Laws of simulated sightings that hold for any view, model and seed."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground
from crowdstream.lab.virtualcrowd.detector_model import SightingModel, simulate
from crowdstream.lab.virtualcrowd.sighting_model import FITTED
from crowdstream.lab.virtualcrowd.sighting_noise import chain, switches
from crowdstream.lab.virtualcrowd.truth import View

MODELS = [SightingModel(), *(SightingModel.fitted(name) for name in FITTED)]


def any_view(n: int, f: int, seed: int) -> View:
    """People in, across and out of the picture, hidden, absent, on top of one another."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(-100, 300, (n, f, 2))
    box = np.concatenate([low, low + rng.uniform(3, 150, (n, f, 2))], axis=-1)
    points = low[:, :, None] + rng.uniform(-0.2, 1.2, (n, f, 17, 2)) * (box[..., 2:] - low)[:, :, None]
    points[rng.random((n, f, 17)) < 0.02] = np.nan
    present = rng.random((n, f)) < 0.8
    steps = np.cumsum(rng.integers(10_000_000, 100_000_000, f))
    return View(
        name="any", ground=Ground(), t_ns=steps, person_ids=rng.permutation(n) + 1, present=present,
        camera=CameraModel(K=np.eye(3), R_cam_world=np.eye(3), t_cam_world_m=np.zeros(3), size_px=(320, 240)),
        keypoints_px=points.astype(np.float32), visibility=rng.integers(0, 4, (n, f, 17)).astype(np.uint8),
        joint_visibility=rng.integers(0, 4, (n, f, 24)).astype(np.uint8),
        box_px=np.where(present[..., None], box, 0.0).astype(np.float32),
        seen_share=(rng.random((n, f)) * present).astype(np.float32),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 8), st.sampled_from(MODELS), st.integers(0, 2**31))
def test_rows_are_ordered_sound_and_repeatable(n: int, f: int, model: SightingModel, seed: int) -> None:
    view = any_view(n, f, seed)
    seen = simulate(view, model, seed)
    again = simulate(view, model, seed)
    for field in fields(seen):
        np.testing.assert_array_equal(getattr(seen, field.name), getattr(again, field.name))
    later = np.diff(seen.frame)
    assert (later >= 0).all()
    assert (np.diff(seen.scores)[later == 0] <= 0.0).all()
    width, height = view.camera.size_px
    assert (seen.boxes_px >= 0.0).all() and (seen.boxes_px <= [width, height, width, height]).all()
    assert (seen.boxes_px[:, 2:] > seen.boxes_px[:, :2]).all()
    assert ((seen.scores >= 0.0) & (seen.scores <= 1.0)).all()
    assert ((seen.confidence >= 0.0) & (seen.confidence <= 1.0)).all()
    assert np.isfinite(seen.keypoints_px).all()
    row = {int(person): k for k, person in enumerate(view.person_ids)}
    for person, frame in zip(seen.person.tolist(), seen.frame.tolist(), strict=True):
        assert person == 0 or (view.present[row[person], frame] and view.seen_share[row[person], frame] > 0.0)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.02, 0.9), st.floats(0.0, 0.5), st.integers(0, 1000))
def test_switches_are_on_for_their_share(share: float, stay_s: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    t_ns = np.cumsum(rng.integers(5_000_000, 60_000_000, 400))
    on = switches(rng, t_ns, np.full((400, 400), share, np.float32), stay_s)
    assert abs(on.mean() - share) < 0.03


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 3.0), st.integers(0, 1000))
def test_chains_have_unit_variance_at_every_time(tau_s: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    t_ns = np.cumsum(rng.integers(5_000_000, 200_000_000, 30))
    values = chain(rng, t_ns, (6000,), tau_s)
    np.testing.assert_allclose(values.var(axis=1), 1.0, atol=0.09)
