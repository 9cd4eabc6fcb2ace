"""The compiled live solver against a slow twin: numpy, float64, residuals written down one by one, dense Jacobian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from crowdstream.kernels.body.keypoints import coco_keypoints_np
from crowdstream.kernels.body.kinematics import forward_kinematics_np
from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.fused.arrays import (
    NUM_BETAS,
    NUM_FACE,
    NUM_JOINTS,
    NUM_ROT,
    NUM_ROWS,
    FusedBudget,
    workspace,
)
from crowdstream.kernels.fused.gauss_newton import conjugate_gradients, gradient
from crowdstream.kernels.fused.kinematics import forward
from crowdstream.kernels.fused.preconditioner import assemble, precondition, preconditioner, refactor
from crowdstream.kernels.fused.residuals import curvature_product, evaluate
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.rotation import rotmat_to_rotvec_np, rotvec_to_rotmat_np
from crowdstream.kernels.solve.energies.hvip import hvip
from crowdstream.kernels.solve.energies.pose_smoothness import pose_smoothness
from crowdstream.kernels.solve.energies.projection import CameraTensors
from crowdstream.kernels.solve.energies.reprojection import reprojection
from crowdstream.kernels.solve.energies.translation_smoothness import translation_smoothness
from crowdstream.kernels.solve.gauss_newton import (
    FUSED_TERMS,
    fused_body,
    fused_prior,
    fused_views,
    fused_weights,
)
from crowdstream.kernels.solve.gauss_newton_config import LiveConfig
from crowdstream.kernels.solve.problem import WindowProblem
from crowdstream.stream.body_files import load_body
from crowdstream.stream.prior_files import load_pose_prior

T, C = 5, 2
# float32 kernels against float64: sums of some thousand products of numbers up to 1e5
VALUE_RTOL = 2e-4
VECTOR_RTOL = 2e-4


@dataclass
class Setting:
    """One person, five slots, two cameras, a state off the optimum."""

    problem: WindowProblem
    config: LiveConfig
    base: np.ndarray
    rows: np.ndarray
    betas: np.ndarray
    origin: np.ndarray

    def __post_init__(self) -> None:
        self.body, self.prior = load_body(), load_pose_prior()
        self.fused, self.gauss = fused_body(self.body), fused_prior(self.prior)
        self.views = fused_views(self.problem, self.config)
        rng = np.random.default_rng(11)
        world = self.rows + np.concatenate([np.zeros(NUM_ROT), self.origin])[:, None]
        self.views.target[0] = world + 0.1 * rng.normal(size=(NUM_ROWS, T))
        self.views.target_weight[0] = rng.uniform(0.0, 400.0, (NUM_ROWS, T)) * (
            rng.random((NUM_ROWS, T)) < 0.7
        )
        self.lam = fused_weights(self.config)
        self.ws = workspace(len(self.fused.point_joint), T)
        camera = self.views.cameras.astype(np.float64)
        for row in camera:
            row[13:] += row[4:13].reshape(3, 3) @ self.origin
        self.camera = camera.astype(np.float32)

    def evaluate(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Terms, half gradient by rows and by betas; leaves the linearisation in ws."""
        f = np.float32
        terms, direct = np.zeros(10, f), np.zeros((NUM_ROWS, T), f)
        forward(self.fused, self.base.astype(f), self.rows.astype(f), self.betas.astype(f), self.ws)
        zero = np.zeros(NUM_BETAS, f)
        evaluate(
            0, self.fused, self.gauss, self.views, self.lam, self.camera, self.origin.astype(f),
            self.rows.astype(f), self.betas.astype(f), zero, f(0), self.ws, terms, direct,
        )  # fmt: skip
        g, gb = np.zeros((NUM_ROWS, T), f), np.zeros(NUM_BETAS, f)
        gradient(self.fused, self.lam, self.betas.astype(f), zero, f(0), self.ws, direct, g, gb)
        return terms, g, gb

    def product(self, v: np.ndarray, vb: np.ndarray) -> np.ndarray:
        f = np.float32
        out, out_b = np.zeros((NUM_ROWS, T), f), np.zeros(NUM_BETAS, f)
        curvature_product(
            0, self.fused, self.gauss, self.views, self.lam, f(0),
            v.astype(f), vb.astype(f), self.ws, out, out_b,
        )  # fmt: skip
        return np.concatenate([out.ravel(), out_b]).astype(np.float64)


def make_setting(seed: int = 0, height: float = 0.0, **config: float) -> Setting:
    rng = np.random.default_rng(seed)
    origin = np.array([20.0, 30.0, 0.9])
    cameras = []
    for turn in (0.3, 1.4):
        c, s = np.cos(turn), np.sin(turn)
        flat = np.array([[c, s, 0.0], [0.0, 0.0, -1.0], [-s, c, 0.0]])
        tilt = np.array([[1.0, 0, 0], [0, np.cos(0.4), -np.sin(0.4)], [0, np.sin(0.4), np.cos(0.4)]])
        rotation = tilt @ flat
        centre = origin - rotation.T @ np.array([0.2, -0.1, 12.0])
        K = np.array([[1400.0, 0, 960], [0, 1380.0, 540], [0, 0, 1]])
        cameras.append(CameraModel(K, rotation, -rotation @ centre, (1920, 1080)))
    prior = load_pose_prior()
    rows = np.zeros((NUM_ROWS, T))
    rows[:3] = 0.2 * rng.normal(size=(3, T))
    rows[3:NUM_ROT] = prior.mean.numpy()[:, None] + 0.2 * rng.normal(size=(NUM_ROT - 3, T))
    rows[NUM_ROT:] = 0.05 * rng.normal(size=(3, T)) + np.array([0.0, 0.0, height])[:, None]
    upright = rotvec_to_rotmat_np(np.array([np.pi / 2, 0.0, 0.0]))
    base = np.repeat(upright.reshape(9, 1), T, axis=1)
    betas = 0.5 * rng.normal(size=NUM_BETAS)
    body = load_body()
    px = _keypoints(base, rows, betas, origin, body, cameras)[0]
    px = px + 8.0 * rng.normal(size=px.shape)
    foot = np.stack([camera.project(np.tile(origin * (1, 1, 0), (T, 1))) for camera in cameras])
    confidence = rng.uniform(0.3, 1.0, (C, 1, T, 17))
    confidence[0, 0, 2] = 0.0
    confidence[:, 0, 3, 13:] = 0.0
    problem = WindowProblem(
        window=0, slot0=0, t0_ns=0, person_ids=np.array([7]), cameras=tuple(cameras), ground=Ground(),
        present=np.ones((1, T), bool),
        keypoints_px=px[:, None].astype(np.float32),
        confidence=confidence.astype(np.float32),
        box_px=np.tile(np.array([100.0, 100.0, 180.0, 300.0], np.float32), (C, 1, T, 1)),
        hvip_px=(foot + 5 * rng.normal(size=foot.shape))[:, None].astype(np.float32),
        hvip_sigma_px=rng.uniform(2, 6, (C, 1, T)).astype(np.float32),
        track_m=np.tile(origin * (1, 1, 0) + (0.1, -0.2, 0), (1, T, 1)).astype(np.float32),
    )  # fmt: skip
    return Setting(problem, LiveConfig(**config), base, rows, betas, origin)


def _pose(base: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(..., 69, T) -> (..., T, 24, 3)."""
    batch = rows.shape[:-2]
    pose = np.zeros((*batch, T, 24, 3))
    pose[..., :NUM_JOINTS, :] = np.moveaxis(rows[..., :NUM_ROT, :], -1, -2).reshape(*batch, T, NUM_JOINTS, 3)
    turned = rotvec_to_rotmat_np(pose[..., 0, :]) @ base.T.reshape(T, 3, 3)
    pose[..., 0, :] = rotmat_to_rotvec_np(turned)
    return pose


def _keypoints(base, rows, betas, origin, body, cameras):
    """Pixels (C, ..., T, 17, 2), joints (..., T, 24, 3), rotations."""
    transl = np.moveaxis(rows[..., NUM_ROT:, :], -1, -2) + origin
    joints, rotmats = forward_kinematics_np(
        _pose(base, rows), betas[..., None, :], transl, body.joint_template_m, body.joint_shapedirs_m
    )
    return np.stack([c.project(coco_keypoints_np(joints, rotmats)) for c in cameras]), joints, rotmats


def twin_residuals(s: Setting, x: np.ndarray) -> dict[str, np.ndarray]:
    """Residual vectors by term, before any robust weight, of states (..., 69 T + 10) laid end to end."""
    batch = x.shape[:-1]
    rows, betas = x[..., : NUM_ROWS * T].reshape(*batch, NUM_ROWS, T), x[..., NUM_ROWS * T :]
    p, lam = s.problem, s.lam
    px, joints, rotmats = _keypoints(s.base, rows, betas, s.origin, s.body, p.cameras)
    wide = (C, *(1,) * len(batch), T)
    size = (p.box_px[..., 2:] - p.box_px[..., :2]).max(-1)[:, 0].astype(np.float64).reshape(*wide, 1, 1)
    conf = _confidence(s).reshape(*wide, 17, 1)
    seen = p.keypoints_px[:, 0].reshape(*wide, 17, 2)
    torso = joints[..., [1, 2, 16, 17], :].mean(-2)
    foot = np.stack([c.project(torso * (1, 1, 0)) for c in p.cameras])
    points = []
    for j, offset, dirs in list(zip(*s.fused[2:], strict=True))[NUM_FACE:]:
        own = offset.astype(np.float64) + np.einsum("ck,...k->...c", dirs, betas)
        points.append(joints[..., j, :] + np.einsum("...tij,...j->...ti", rotmats[..., j, :, :], own))
    heights = np.array(points)[..., 2]
    tau = float(lam.contact_softness_m)
    low = heights.min(0) - tau * np.log(np.exp(-(heights - heights.min(0)) / tau).mean(0))
    half = np.linalg.cholesky(s.gauss.precision.astype(np.float64) * float(lam.pose)).T
    weight = np.sqrt(s.views.track_weight[0].astype(np.float64) * float(lam.track))[:, None]
    body = joints[..., :NUM_JOINTS, :]
    out = {
        "E_2D": np.sqrt(float(lam.reprojection) * conf) * (px - seen) / size,
        "E_hvip2D": np.sqrt(float(lam.hvip))
        * (foot - p.hvip_px[:, 0].reshape(*wide, 2))
        / p.hvip_sigma_px[:, 0].reshape(*wide, 1),
        "low": np.sqrt(float(lam.contact)) * low,
        "sunk": np.sqrt(float(lam.contact)) * np.minimum(heights, 0),
        "E_t-trans": np.sqrt(float(lam.trans_acceleration)) * np.diff(rows[..., NUM_ROT:, :], n=2, axis=-1),
        "acceleration": np.sqrt(float(lam.pose_acceleration)) * np.diff(body, n=2, axis=-3),
        "velocity": np.sqrt(float(lam.pose_velocity)) * np.diff(body, n=1, axis=-3),
        "E_pose": half @ (rows[..., 3:NUM_ROT, :] - s.gauss.mean[:, None]),
        "E_shape": np.sqrt(float(lam.shape)) * betas,
        "track": weight * (torso[..., :2] - p.track_m[0, :, :2]),
        "upright": np.sqrt(float(lam.upright)) * rotmats[..., 0, :2, 1],
        "target": np.sqrt(s.views.target_weight[0].astype(np.float64))
        * (_in_world(s, rows) - s.views.target[0]),
    }
    lead = {"E_2D": 1, "E_hvip2D": 1, "sunk": 1}  # axes before the batch: cameras, points
    return {k: np.moveaxis(v, range(lead.get(k, 0)), range(-lead.get(k, 0), 0)) for k, v in out.items()}


def _in_world(s: Setting, rows: np.ndarray) -> np.ndarray:
    """Rows (..., 69, T) with transl in the world, as targets are."""
    return rows + np.concatenate([np.zeros(NUM_ROT), s.origin])[:, None]


def _confidence(s: Setting) -> np.ndarray:
    return s.problem.confidence[:, 0].astype(np.float64) * np.where(
        np.arange(17) < 5, s.config.face_weight, 1.0
    )


def robust_weights(s: Setting, r: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """rho'(e) of every residual of the robust terms, at the state of r."""
    lam = s.lam
    conf = np.moveaxis(_confidence(s), 0, -1)  # (T, 17, C)
    e = (r["E_2D"] ** 2).sum(-2) / np.maximum(conf * float(lam.reprojection), 1e-12)
    s2 = float(lam.reprojection_scale) ** 2
    h = (r["E_hvip2D"] ** 2).sum(-2) / float(lam.hvip)
    h2 = float(lam.hvip_scale) ** 2
    c2 = float(lam.contact_scale_m) ** 2
    low = r["low"] ** 2 / float(lam.contact)
    return {
        "E_2D": np.repeat(((s2 / (s2 + e)) ** 2)[..., None, :], 2, -2),
        "E_hvip2D": np.repeat(((h2 / (h2 + h)) ** 2)[..., None, :], 2, -2),
        "low": np.where(r["low"] > 0, (c2 / (c2 + low)) ** 2, 1.0),
    }


def twin_terms(s: Setting, r: dict[str, np.ndarray]) -> dict[str, float]:
    """Energy by term."""
    root = {k: np.sqrt(w) for k, w in robust_weights(s, r).items()}  # k = s^2/(s^2+e); energy k e
    value = {k: float((root.get(k, 1.0) * v**2).sum()) for k, v in r.items()}
    value["E_contact"] = value.pop("low") + value.pop("sunk")
    value["E_t-pose"] = value.pop("acceleration") + value.pop("velocity")
    return value


def dense(s: Setting) -> tuple[np.ndarray, np.ndarray]:
    """J'W r and J'W J of the twin by central differences in float64."""
    x = np.concatenate([s.rows.ravel(), s.betas])
    r0 = twin_residuals(s, x)
    weights = robust_weights(s, r0)
    w = np.concatenate([np.broadcast_to(weights.get(k, 1.0), np.shape(v)).ravel() for k, v in r0.items()])
    step = 1e-6

    def flat(states: np.ndarray) -> np.ndarray:
        batch = states.shape[:-1]
        return np.concatenate([v.reshape(*batch, -1) for v in twin_residuals(s, states).values()], -1)

    J = ((flat(x + step * np.eye(len(x))) - flat(x - step * np.eye(len(x)))) / (2 * step)).T
    return J.T @ (w * flat(x)), J.T @ (w[:, None] * J)


@pytest.fixture(scope="module", params=[{"height": 0.95}, {"height": 0.85, "joint_velocity_sigma_m": 0.05}])
def linearised(request):
    s = make_setting(seed=3, **request.param)
    return s, *dense(s)


def test_every_term_has_the_value_of_the_twin(linearised):
    s = linearised[0]
    terms, _, _ = s.evaluate()
    want = twin_terms(s, twin_residuals(s, np.concatenate([s.rows.ravel(), s.betas])))
    assert set(want) == set(FUSED_TERMS)
    for name, value in zip(FUSED_TERMS, terms, strict=True):
        assert value == pytest.approx(want[name], rel=VALUE_RTOL, abs=1e-3), name


def test_gradient_is_that_of_the_twin(linearised):
    s, g_want, _ = linearised
    _, g, gb = s.evaluate()
    got = np.concatenate([g.ravel(), gb])
    assert np.linalg.norm(got - g_want) < VECTOR_RTOL * np.linalg.norm(g_want)
    # betas and every joint by itself, so that a small block cannot hide behind a large one
    blocks = [*got[: NUM_ROWS * T].reshape(-1, 3 * T), got[NUM_ROWS * T :]]
    wants = [*g_want[: NUM_ROWS * T].reshape(-1, 3 * T), g_want[NUM_ROWS * T :]]
    for index, (a, b) in enumerate(zip(blocks, wants, strict=True)):
        assert np.linalg.norm(a - b) < 5e-3 * np.linalg.norm(b) + 1e-3, index


def test_product_is_the_dense_gauss_newton_matrix(linearised):
    s, _, H = linearised
    s.evaluate()
    rng = np.random.default_rng(5)
    for scale_betas in (0.0, 1.0):
        v = rng.normal(size=NUM_ROWS * T)
        vb = scale_betas * rng.normal(size=NUM_BETAS)
        got = s.product(v.reshape(NUM_ROWS, T), vb)
        want = H @ np.concatenate([v, vb])
        assert np.linalg.norm(got - want) < VECTOR_RTOL * np.linalg.norm(want)


def test_conjugate_gradients_reach_the_dense_step(linearised):
    s, g_want, H = linearised
    _, g, gb = s.evaluate()
    f = np.float32
    mu = f(1e-2)
    pc = preconditioner(T)
    assemble(0, s.fused, s.gauss, s.views, s.lam, f(0), s.ws, pc)
    refactor(mu, pc)
    dx, dxb = np.zeros((NUM_ROWS, T), f), np.zeros(NUM_BETAS, f)
    conjugate_gradients(
        0, s.fused, s.gauss, s.views, s.lam, f(0), FusedBudget(1, 400, f(1e-4), f(0), mu), mu, s.ws, pc,
        g, gb, dx, dxb, np.zeros((4, NUM_ROWS, T), f), np.zeros((4, NUM_BETAS), f),
    )  # fmt: skip
    D = np.concatenate([pc.diagonal.ravel(), np.diag(pc.beta_block)]).astype(np.float64)
    want = np.linalg.solve(H + float(mu) * np.diag(D), -g_want)
    got = np.concatenate([dx.ravel(), dxb])
    gain = lambda d: -(2 * g_want @ d + d @ H @ d)  # noqa: E731  decrease of the quadratic model
    assert gain(got) > 0.995 * gain(want)


def test_preconditioner_is_symmetric_and_positive(linearised):
    s = linearised[0]
    s.evaluate()
    f = np.float32
    pc = preconditioner(T)
    assemble(0, s.fused, s.gauss, s.views, s.lam, f(0), s.ws, pc)
    refactor(f(1e-2), pc)
    rng = np.random.default_rng(1)

    def apply(r, rb):
        z, zb = np.zeros((NUM_ROWS, T), f), np.zeros(NUM_BETAS, f)
        precondition(pc, r, rb, z, zb)
        return z, zb

    for _ in range(5):
        a, ab = rng.normal(size=(NUM_ROWS, T)).astype(f), rng.normal(size=NUM_BETAS).astype(f)
        b, bb = rng.normal(size=(NUM_ROWS, T)).astype(f), rng.normal(size=NUM_BETAS).astype(f)
        (za, zab), (zb, zbb) = apply(a, ab), apply(b, bb)
        left, right = (b * za).sum() + bb @ zab, (a * zb).sum() + ab @ zbb
        size = np.sqrt(((a * za).sum() + ab @ zab) * ((b * zb).sum() + bb @ zbb))
        assert (a * za).sum() + ab @ zab > 0
        assert abs(left - right) < 1e-3 * size


def test_values_are_those_of_the_torch_energies():
    s = make_setting(seed=8, height=0.9)
    terms = dict(zip(FUSED_TERMS, s.evaluate()[0], strict=True))
    _, joints, rotmats = _keypoints(s.base, s.rows, s.betas, s.origin, s.body, s.problem.cameras)
    put = lambda a: torch.tensor(np.asarray(a, np.float64))  # noqa: E731
    p, lam = s.problem, s.lam
    cameras = CameraTensors.of(p.cameras, torch.float64, "cpu")
    size = 200.0
    sigma = p.confidence * np.where(np.arange(17) < 5, s.config.face_weight, 1.0)
    delta = torch.full((C, 1, T), size**-2, dtype=torch.float64)
    world = put(joints[None])
    e2d = reprojection(
        put(coco_keypoints_np(joints, rotmats)[None]), put(p.keypoints_px), put(sigma), delta, cameras,
        robust_px=float(lam.reprojection_scale) * size,
    )  # fmt: skip
    assert terms["E_2D"] == pytest.approx(float(lam.reprojection) * float(e2d[0]), rel=VALUE_RTOL)
    variance = put(p.hvip_sigma_px) ** 2
    ehvip = hvip(
        world, put(np.tile([0, 0, 1.0], (1, T, 1))), put(np.zeros((1, T))), put(p.hvip_px), put(p.hvip_sigma_px),
        1 / variance, cameras, robust_sigmas=float(lam.hvip_scale),
    )  # fmt: skip
    assert terms["E_hvip2D"] == pytest.approx(float(lam.hvip) * float(ehvip[0]), rel=VALUE_RTOL)
    valid = torch.ones(1, T, dtype=torch.bool)
    trans = translation_smoothness(put(s.rows[NUM_ROT:].T[None]), valid, order=2)
    assert terms["E_t-trans"] == pytest.approx(
        float(lam.trans_acceleration) * float(trans[0]), rel=VALUE_RTOL
    )
    smooth = pose_smoothness(world[:, :, :NUM_JOINTS], valid, order=2)
    assert terms["E_t-pose"] == pytest.approx(float(lam.pose_acceleration) * float(smooth[0]), rel=VALUE_RTOL)
    distance = s.prior.squared_distance(torch.tensor(_pose(s.base, s.rows), dtype=torch.float32)).sum()
    assert terms["E_pose"] == pytest.approx(float(lam.pose) * float(distance), rel=VALUE_RTOL)
