"""Rendered crowds: the picture agrees with the camera, hides what is hidden, and repeats itself."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crowdstream.kernels.body.model import BodyModel
from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.kernels.ground import Ground
from crowdstream.lab.virtualcrowd.scene import Obstacle, Scene
from crowdstream.lab.virtualcrowd.truth import CrowdMotion
from crowdstream.stream.body_files import load_body
from crowdstream.stream.sources.file import FileSource

pytest.importorskip("embreex", reason="rendering needs embreex: pip install 'crowdstream[render]'")

from crowdstream.lab.virtualcrowd.render import RenderConfig, frames, render_video
from crowdstream.lab.virtualcrowd.render import tracer as tracer_module
from crowdstream.lab.virtualcrowd.render.figures import Figures
from crowdstream.lab.virtualcrowd.render.figures import skin as skin_vertices
from crowdstream.lab.virtualcrowd.render.lens import Lens
from crowdstream.lab.virtualcrowd.render.moment import crowd_at
from crowdstream.lab.virtualcrowd.render.picture import Renderer
from crowdstream.lab.virtualcrowd.render.tracer import Tracer

Array = np.ndarray

SIZE = (192, 144)
CLEAN = RenderConfig(seed=3, noise=0.0, lens_blur_px=0.0, vignette=0.0, shutter_s=0.0, carried_share=0.0)
OUTLINE = np.array([[-8.0, -4.0], [8.0, -4.0], [8.0, 12.0], [-8.0, 12.0]])


def camera(dist: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0), shift: float = 7.0) -> CameraModel:
    """1.6 m up behind the scene, looking along +y; the principal point lies off the centre."""
    down = np.radians(6.0)
    R = np.array([[1, 0, 0], [0, -np.sin(down), -np.cos(down)], [0, np.cos(down), -np.sin(down)]])
    K = np.array([[170.0, 0, SIZE[0] / 2 + shift], [0, 172.0, SIZE[1] / 2 - shift], [0, 0, 1]])
    return CameraModel(
        K=K, R_cam_world=R, t_cam_world_m=-R @ np.array([0.2, -6.0, 1.6]), size_px=SIZE, dist=np.array(dist)
    )


def standing(
    places: list[tuple[float, float]], slots: int = 4, obstacles: tuple[Obstacle, ...] = ()
) -> CrowdMotion:
    """People of the mean shape, arms down, feet on z = 0."""
    body = load_body()
    n = len(places)
    pose = np.zeros((n, slots, 24, 3), np.float32)
    pose[:, :, 0, 0] = np.pi / 2
    pose[:, :, 16, 2], pose[:, :, 17, 2] = -1.2, 1.2
    transl = np.zeros((n, slots, 3), np.float32)
    transl[:, :, :2] = np.array(places, np.float32)[:, None]
    # the root turns about the pelvis: z is the height of the pelvis over the soles
    transl[:, :, 2] = -body.v_template[:, 1].min() - body.joint_template_m[0, 2]
    ground = transl.copy()
    ground[:, :, 2] = 0.0
    return CrowdMotion(
        scene=Scene("test", OUTLINE, Ground(), obstacles, ()), seed=0, person_ids=np.arange(1, n + 1),
        group=np.full(n, -1), role=("stander",) * n, stature_m=np.full(n, 1.71),
        activity=np.full((n, slots), 3, np.uint8),
        present=np.ones((n, slots), bool), pose_rotvec=pose, betas=np.zeros((n, 10), np.float32), transl_m=transl,
        joints_m=np.zeros((n, slots, 24, 3), np.float32), ground_m=ground, contact=np.zeros((n, slots, 8), bool),
        source=np.full((n, slots), 2, np.uint8), clip=np.full((n, slots), -1, np.int16), clips=(),
    )  # fmt: skip


def picture(motion: CrowdMotion, style: RenderConfig = CLEAN, index: int = 0) -> Array:
    return Renderer(motion, camera(), style).frame(33_333_333, index)


@pytest.mark.parametrize("dist", [(0.0, 0.0, 0.0, 0.0), (-0.15, 0.04, 0.001, -0.002)])
def test_rays_meet_what_the_camera_projects(dist: tuple[float, ...]) -> None:
    """Small triangles at known places are hit by the rays of the pixels they project to, and only there."""
    view = camera(dist)
    rng = np.random.default_rng(0)
    px = np.stack([rng.uniform(5, SIZE[0] - 6, 40), rng.uniform(5, SIZE[1] - 6, 40)], axis=1)
    ways = Lens(view).directions(px).astype(np.float64)
    points = view.centre_world_m + ways * rng.uniform(3, 30, (40, 1))
    assert np.abs(view.project(points) - px).max() < 0.01
    right, up = view.R_cam_world[0], view.R_cam_world[1]
    size = 0.2 * view.to_camera(points)[:, 2:] / view.K[0, 0]  # a fifth of a pixel
    corners = np.stack(
        [points - size * right - size * up, points + size * right - size * up, points + size * up], axis=1
    )
    tracer = Tracer(corners.reshape(-1, 3) - view.centre_world_m, np.arange(120).reshape(-1, 3))
    assert (tracer.shoot(np.zeros(3), Lens(view).directions(px)).face == np.arange(40)).all()
    assert (tracer.shoot(np.zeros(3), Lens(view).directions(px + 0.5)).face == -1).all()


def test_person_is_drawn_where_the_camera_sees_them() -> None:
    """The edges of the changed pixels agree with those of the projected skin."""
    motion = standing([(0.5, 3.0)])
    renderer = Renderer(motion, camera(), CLEAN)
    drawn = renderer.frame(0)
    mask = np.abs(drawn.astype(int) - renderer.place.lit.astype(int)).sum(axis=2) > 12
    moment = crowd_at(motion, 0.0, renderer._figures.body.body, renderer._figures.joints_rest_m)
    heap = renderer._figures.heap(moment, np.zeros(1, int))
    px = camera().project(heap.points_m.astype(np.float64))
    rows = np.flatnonzero(mask[: int(px[:, 1].mean())].any(axis=1))
    columns = np.flatnonzero(mask[: int(px[:, 1].mean())].any(axis=0))
    upper = px[px[:, 1] < px[:, 1].mean()]
    assert abs(rows.min() - (px[:, 1].min() - 0.5)) <= 1.0  # pixels are whole, edges are not
    assert abs(columns.min() - (upper[:, 0].min())) <= 1.0
    assert abs(columns.max() - (upper[:, 0].max())) <= 1.0


def test_nobody_in_sight_leaves_the_empty_place() -> None:
    empty = standing([(0.0, 3.0)])
    empty = replace(empty, present=np.zeros_like(empty.present))
    away = standing([(0.0, -60.0)])
    here = standing([(0.0, 3.0)])
    style = CLEAN.model_copy(update={"noise": 2.0})
    assert (picture(away, style) == picture(empty, style)).all()
    assert (picture(here, style) != picture(empty, style)).any()


def test_same_seed_same_pixels_other_seed_other_clothes() -> None:
    motion = standing([(0.0, 3.0), (1.0, 4.0)])
    style = RenderConfig(seed=5)
    first, second = picture(motion, style), picture(motion, style)
    assert (first == second).all()
    assert (picture(motion, RenderConfig(seed=6)) != first).mean() > 0.2
    assert (picture(motion, style, index=1) != first).mean() > 0.2  # the noise is another one


def test_nearer_person_covers_the_farther_one() -> None:
    near, far = standing([(0.2, -2.5)]), standing([(0.2, 9.0)])
    both = standing([(0.2, -2.5), (0.2, 9.0)])
    far = replace(far, person_ids=np.array([2]))
    empty = Renderer(near, camera(), CLEAN).place.lit.astype(int)
    of_far = np.abs(picture(far).astype(int) - empty).sum(axis=2) > 12
    assert of_far.sum() > 50
    alone, together = picture(near), picture(both)
    covered = of_far & (np.abs(alone.astype(int) - empty).sum(axis=2) > 40)
    assert covered.sum() > 50
    assert np.abs(together.astype(int) - alone.astype(int))[covered].mean() < 6.0  # but for edges and shade


def test_obstacle_hides_people_behind_it() -> None:
    box = Obstacle("k", "kiosk", np.array([[-2.0, 0.0], [2.0, 0.0], [2.0, 1.0], [-2.0, 1.0]]), 0.0, 2.6)
    hidden, none = standing([(0.1, 4.0)], obstacles=(box,)), standing([(0.1, -40.0)], obstacles=(box,))
    seen = standing([(0.1, -2.0)], obstacles=(box,))
    view = camera()
    front = view.project(np.array([[x, 0.0, z] for x in (-1.9, 1.9) for z in (0.1, 2.5)]))
    low, high = np.ceil(front.min(axis=0)).astype(int), np.floor(front.max(axis=0)).astype(int)
    face = (slice(max(low[1], 0), high[1]), slice(max(low[0], 0), high[0]))
    assert (picture(hidden)[face] == picture(none)[face]).all()
    assert (picture(seen)[face] != picture(none)[face]).any()


def test_shadow_falls_away_from_the_sun() -> None:
    """Pixels on the ground that darken lie where the skin is projected along the sun."""
    style = CLEAN.model_copy(update={"sun_azimuth_deg": 0.0, "sun_elevation_deg": 45.0})
    motion = standing([(0.0, 2.0)])
    renderer = Renderer(motion, camera(), style)
    change = renderer.place.lit.astype(int).sum(axis=2) - renderer.frame(0).astype(int).sum(axis=2)
    chest = camera().project(np.array([[-1.2, 2.0, 0.0], [1.2, 2.0, 0.0]])).round().astype(int)
    behind, before = (change[row - 1 : row + 2, column] for column, row in chest)  # a row is 0.4 m of ground
    assert behind.max() > 60  # the chest is 1.2 m up, the sun at 45 degrees
    assert (before == 0).all()


def test_skinning_agrees_with_the_body_model() -> None:
    """Bare skin, pose displacements included, equals smplx's."""
    rng = np.random.default_rng(1)
    motion = standing([(0.0, 1.0), (1.0, 2.0)])
    pose = rng.normal(0, 0.4, motion.pose_rotvec.shape).astype(np.float32)
    betas = rng.normal(0, 1, (2, 10)).astype(np.float32)
    motion = replace(motion, pose_rotvec=pose, betas=betas)
    figures = Figures(motion, CLEAN)
    body = figures.body.body
    moment = crowd_at(motion, 1e9 / 30, body, figures.joints_rest_m)
    rest = np.stack([body.vertices_m(b) for b in betas]).astype(np.float32)
    rest += (moment.turns @ figures._pose_dirs[0]).reshape(rest.shape)
    points, _ = skin_vertices(rest, rest, body.weights.astype(np.float32), moment.bones)
    want = BodyModel(body)(
        *(torch.from_numpy(a) for a in (pose[:, 1], betas, motion.transl_m[:, 1]))
    ).vertices_m
    assert np.abs(points - want.numpy()).max() < 2e-5


def test_moments_between_slots_lie_between_them() -> None:
    motion = standing([(0.0, 1.0)])
    transl = motion.transl_m.copy()
    transl[0, :, 0] = np.arange(4)
    motion = replace(motion, transl_m=transl)
    figures = Figures(motion, CLEAN)

    def x_at(t_ns: float) -> float:
        moment = crowd_at(motion, t_ns, figures.body.body, figures.joints_rest_m)
        return float(moment.bones[0, 0, 0, 3])

    start = x_at(0.0)
    assert x_at(1.25e9 / 30) - start == pytest.approx(1.25, abs=1e-4)
    assert x_at(99e9) - start == pytest.approx(3.0, abs=1e-4)  # past the end: the end


def test_absent_people_are_not_drawn() -> None:
    motion = standing([(0.0, 1.0), (1.0, 1.0)])
    present = motion.present.copy()
    present[0, 2:] = False
    motion = replace(motion, present=present)
    figures = Figures(motion, CLEAN)
    rows = [
        crowd_at(motion, s * 1e9 / 30, figures.body.body, figures.joints_rest_m).rows for s in (1.0, 1.4, 1.6)
    ]
    assert [list(r) for r in rows] == [[0, 1], [0, 1], [1]]


def test_video_has_every_frame_at_its_time(tmp_path: Path) -> None:
    """The project's own file source reads back what was written, irregular times included."""
    motion = standing([(0.0, 3.0)])
    t_ns = np.array([0, 33_366_700, 100_100_000, 120_000_000, 200_000_000], np.int64)
    told: list[tuple[int, int]] = []
    report = render_video(
        motion, camera(), t_ns, tmp_path / "clip.mp4", CLEAN, lambda done, total: told.append((done, total))
    )
    assert (report.num_frames, report.num_bytes) == (5, (tmp_path / "clip.mp4").stat().st_size)
    assert told == [(k, 5) for k in range(1, 6)]
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    with FileSource(tmp_path / "clip.mp4") as source:
        read = [frame.t_capture_ns for frame in source]
    assert len(read) == 5
    assert np.abs(np.array(read) - t_ns).max() <= 1e9 / 90_000


def test_video_shows_the_frames(tmp_path: Path) -> None:
    motion = standing([(0.0, 3.0)])
    style = CLEAN.model_copy(update={"crf": 12})
    t_ns = np.array([0, 40_000_000], np.int64)
    render_video(motion, camera(), t_ns, tmp_path / "clip.mkv", style)
    import av

    with av.open(str(tmp_path / "clip.mkv")) as container:
        decoded = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    for got, want in zip(decoded, frames(motion, camera(), t_ns, style), strict=True):
        assert np.abs(got.astype(int) - want.astype(int)).mean() < 4.0


@pytest.mark.parametrize("t_ns", [[], [0, 0], [40_000_000, 0]])
def test_video_refuses_times_that_do_not_rise(t_ns: list[int], tmp_path: Path) -> None:
    with pytest.raises(CrowdstreamError):
        render_video(standing([(0.0, 3.0)]), camera(), np.array(t_ns, np.int64), tmp_path / "x.mp4", CLEAN)
    assert list(tmp_path.iterdir()) == []


def test_missing_library_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embreex.rtcore_scene", None)
    with pytest.raises(
        tracer_module.RendererMissingError, match=r"pip install 'crowdstream\[render\]'"
    ) as caught:
        Tracer(np.eye(3), np.array([[0, 1, 2]]))
    assert "\n" not in str(caught.value)


def test_works_without_a_display_and_prints_nothing(tmp_path: Path) -> None:
    """A process with an all but empty environment traces rays and stays silent."""
    code = (
        "import numpy as np\n"
        "from crowdstream.lab.virtualcrowd.render.tracer import Tracer\n"
        "hits = Tracer(np.eye(3), np.array([[0, 1, 2]])).shoot(np.zeros(3), np.ones((1, 3)))\n"
        "assert hits.face[0] == 0\n"
    )
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=kept,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
