"""The shipped body: a whole mesh, people of human size, soles to stand on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from crowdstream.kernels.body.data import BodyData
from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.skeleton import FACE_OFFSETS_M, SMPL_JOINTS
from crowdstream.lab.body.anatomy import SOLE_Y_M, mean_joints
from crowdstream.lab.body.skinning import mirror_joints
from crowdstream.stream.body_files import load_body


@pytest.fixture(scope="module")
def body() -> BodyData:
    return load_body()


def _volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    return float(np.einsum("fc,fc->", a, np.cross(b, c)) / 6)


def test_mesh_is_one_closed_surface_without_handles(body: BodyData) -> None:
    faces = body.faces
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)  # neighbours agree on what is outside
    edges, uses = np.unique(np.sort(directed, axis=1), axis=0, return_counts=True)
    assert (uses == 2).all()
    assert body.num_vertices - len(edges) + len(faces) == 2  # a sphere, so no loops through the body
    assert len(np.unique(faces)) == body.num_vertices
    assert _volume(body.v_template, faces) > 0  # wound outwards


def test_mesh_has_no_slivers(body: BodyData) -> None:
    a, b, c = (body.v_template[body.faces[:, i]].astype(np.float64) for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    longest = np.max([np.linalg.norm(p - q, axis=1) for p, q in ((a, b), (b, c), (c, a))], axis=0)
    assert (2 * area / longest**2).min() > 0.1  # height over base


def test_left_and_right_are_mirror_images(body: BodyData) -> None:
    flipped = body.v_template * np.array([-1, 1, 1], np.float32)
    key = {tuple(v): i for i, v in enumerate(body.v_template.tolist())}
    mirror = np.array([key[tuple(v)] for v in (flipped + 0.0).tolist()])
    np.testing.assert_allclose(body.weights[mirror][:, mirror_joints()], body.weights, atol=1e-6)
    dirs = body.shapedirs[mirror] * np.array([-1, 1, 1], np.float32)[:, None]
    np.testing.assert_allclose(dirs, body.shapedirs, atol=1e-7)


def test_mean_skeleton_is_that_of_the_motion_data(body: BodyData) -> None:
    np.testing.assert_allclose(body.joint_template_m, mean_joints(), atol=1e-6)
    hip, knee, ankle = (
        body.joint_template_m[SMPL_JOINTS.index(f"left_{n}")] for n in ("hip", "knee", "ankle")
    )
    assert np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee) == pytest.approx(0.778, abs=2e-3)


def test_weights_are_few_and_stay_on_their_side(body: BodyData) -> None:
    assert (body.weights > 0).sum(1).max() <= 4
    np.testing.assert_allclose(body.weights.sum(1), 1.0, atol=1e-6)
    x = body.v_template[:, 0]
    left = [j for j, name in enumerate(SMPL_JOINTS) if name.startswith("left")]
    assert body.weights[x < -0.045][:, left].max() == 0.0
    arms = [
        j
        for j, name in enumerate(SMPL_JOINTS)
        if name.split("_")[-1] in ("shoulder", "elbow", "wrist", "hand")
    ]
    below_the_armpit = (np.abs(x) < 0.17) & (body.v_template[:, 1] < 0.28)
    assert body.weights[below_the_armpit][:, arms].max() == 0.0


def test_statures_spread_like_adults(body: BodyData) -> None:
    draws = np.random.default_rng(0).standard_normal((300, 10))
    statures = np.array([body.stature_m(betas) for betas in draws])
    assert statures.mean() == pytest.approx(1.71, abs=0.015)
    assert statures.std() == pytest.approx(0.075, abs=0.01)
    short, tall = (body.stature_m(3.0 * sign * np.eye(10)[0]) for sign in (-1, 1))
    assert short < 1.50 and tall > 1.93


def test_weight_and_belly_change_volume_not_stature(body: BodyData) -> None:
    for k in (1, 5):
        heavier = body.vertices_m(np.eye(10)[k])
        assert _volume(heavier, body.faces) > 1.01 * _volume(body.v_template, body.faces)
        assert body.stature_m(np.eye(10)[k]) == pytest.approx(body.stature_m(np.zeros(10)), abs=1e-3)


def test_a_child_has_a_childs_head(body: BodyData) -> None:
    betas = np.zeros(10)
    betas[[0, 6]] = -7.5, 0.5
    head = SMPL_JOINTS.index("head")

    def head_share(b: np.ndarray) -> float:
        return float((body.vertices_m(b)[:, 1].max() - body.joints_m(b)[head, 1]) / body.stature_m(b))

    assert 1.05 < body.stature_m(betas) < 1.25
    assert head_share(betas) > 1.2 * head_share(np.zeros(10))


def test_soles_are_flat_and_reach_from_heel_to_toe(body: BodyData) -> None:
    soles = body.v_template[body.sole_vertices]
    np.testing.assert_allclose(soles[:, 1], SOLE_Y_M, atol=1e-6)
    assert body.v_template[:, 1].min() == pytest.approx(SOLE_Y_M, abs=1e-6)
    left, right = np.split(soles, 2)
    assert (left[:, 0] > 0).all() and (right[:, 0] < 0).all()
    for foot in (left, right):
        assert np.ptp(foot[:, 2]) > 0.24 and np.ptp(foot[:, 0]) > 0.07
    heights = body.shapedirs[body.sole_vertices][:, 1]
    assert np.ptp(heights, axis=0).max() < 5e-4  # every shape stands flat


def test_face_keypoints_lie_on_the_face(body: BodyData) -> None:
    places = body.joint_template_m[SMPL_JOINTS.index("head")] + FACE_OFFSETS_M[:5]
    distance = np.linalg.norm(body.v_template[None] - places[:, None], axis=-1).min(1)
    assert (distance < 0.008).all()


def test_wrong_arrays_are_named(body: BodyData) -> None:
    with pytest.raises(ShapeError, match=r"shapedirs has shape \(\d+, 3, 6\), expected \(\d+, 3, 10\)"):
        dataclasses.replace(body, shapedirs=body.shapedirs[..., :6])
    with pytest.raises(ShapeError, match="rows of weights must sum to 1"):
        dataclasses.replace(body, weights=2 * body.weights)
    with pytest.raises(ShapeError, match="faces must index"):
        dataclasses.replace(body, faces=body.faces + body.num_vertices)
    with pytest.raises(ShapeError, match="v_template holds values that are not finite"):
        dataclasses.replace(body, v_template=np.full_like(body.v_template, np.nan))
