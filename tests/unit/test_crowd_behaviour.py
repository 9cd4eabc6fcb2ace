"""Plans of virtual crowds: laws of how people move, whatever scene and seed."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.kernels.ground import Ground
from crowdstream.lab.virtualcrowd.behaviour import plan_crowd
from crowdstream.lab.virtualcrowd.behaviour.places import Places, find_places
from crowdstream.lab.virtualcrowd.behaviour.routes import clearance_m, walls_of
from crowdstream.lab.virtualcrowd.cameras import place_camera
from crowdstream.lab.virtualcrowd.config import CrowdConfig
from crowdstream.lab.virtualcrowd.plan import Activity, CrowdPlan
from crowdstream.lab.virtualcrowd.scene import Gate, Scene, surface_height_m
from crowdstream.lab.virtualcrowd.scenes import SCENES, build_scene

NAMES = list(SCENES)


@cache
def plan(name: str, people: int = 60, seconds: float = 12.0, seed: int = 5) -> CrowdPlan:
    """One plan for all tests of a scene; plans are frozen."""
    return plan_crowd(
        build_scene(name, seed),
        CrowdConfig(scene=name, people=people, seconds=seconds, seed=seed, warm_up_s=8.0),
    )


@cache
def places(name: str, seed: int = 5) -> Places:
    scene = build_scene(name, seed)
    return find_places(scene, walls_of(scene))


def _speed(crowd: CrowdPlan) -> tuple[np.ndarray, np.ndarray]:
    """(N, T - 1) velocities' sizes in m/s and where both slots are present."""
    both = crowd.present[:, 1:] & crowd.present[:, :-1]
    return 30.0 * np.linalg.norm(np.diff(crowd.path_m, axis=1), axis=2), both


def test_same_seed_same_plan_bit_for_bit() -> None:
    a, b = (
        plan_crowd(build_scene("plaza", 2), CrowdConfig(people=25, seconds=3.0, seed=2, warm_up_s=4.0))
        for _ in range(2)
    )
    for field in ("present", "path_m", "heading_rad", "activity", "stature_m", "group", "person_ids"):
        assert getattr(a, field).tobytes() == getattr(b, field).tobytes(), field
    assert a.role == b.role
    other = plan_crowd(build_scene("plaza", 2), CrowdConfig(people=25, seconds=3.0, seed=3, warm_up_s=4.0))
    assert other.path_m.shape != a.path_m.shape or not np.allclose(other.path_m, a.path_m)


@pytest.mark.parametrize("name", NAMES)
def test_number_of_people_is_held(name: str) -> None:
    count = plan(name).present.sum(axis=0)
    assert count.min() >= 0.85 * 60 and count.max() <= 1.15 * 60


@pytest.mark.parametrize("name", NAMES)
def test_everybody_comes_and_goes_once(name: str) -> None:
    """One run of slots a person; who comes or goes within the clip does so at a gate."""
    crowd = plan(name)
    flips = np.diff(crowd.present.astype(np.int8), axis=1, prepend=0, append=0)
    assert np.all((flips == 1).sum(axis=1) == 1)
    gates = np.array([g.ends_m for g in crowd.scene.gates])
    middle, half = gates.mean(axis=1), 0.5 * np.linalg.norm(gates[:, 1] - gates[:, 0], axis=1)
    for row in range(len(crowd.role)):
        slots = np.flatnonzero(crowd.present[row])
        for slot in (slots[0], slots[-1]):
            if 0 < slot < crowd.num_slots - 1:
                reach = np.linalg.norm(middle - crowd.path_m[row, slot], axis=1) - half
                # groups stand in up to two rows
                assert reach.min() < 2.5, (row, slot)
    assert np.all(crowd.activity[~crowd.present] == Activity.ABSENT)
    assert np.all(crowd.activity[crowd.present] != Activity.ABSENT)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_leaves_the_ground_or_enters_an_obstacle(name: str) -> None:
    crowd = plan(name)
    assert clearance_m(walls_of(crowd.scene), crowd.path_m[crowd.present]).min() > 0.15
    height = surface_height_m(crowd.scene.ground, crowd.path_m)
    both = crowd.present[:, 1:] & crowd.present[:, :-1]
    assert np.abs(np.diff(height, axis=1))[both].max() < 0.03  # 0.9 m/s: no jump between levels


@pytest.mark.parametrize("name", NAMES)
def test_motion_is_smooth(name: str) -> None:
    crowd = plan(name)
    speed, both = _speed(crowd)
    assert speed[both].max() < 4.4
    role = np.array(crowd.role)
    assert speed[role != "jogger"][both[role != "jogger"]].max() < 2.6
    change = 900.0 * np.linalg.norm(np.diff(crowd.path_m, n=2, axis=1), axis=2)[both[:, 1:] & both[:, :-1]]
    assert np.quantile(change, 0.99) < 3.5 and change.max() < 15.0
    turn = 30.0 * np.abs(np.diff(crowd.heading_rad, axis=1))[both]
    assert turn.max() < 2.8


@pytest.mark.parametrize("name", NAMES)
def test_people_walk_the_way_they_face(name: str) -> None:
    crowd = plan(name)
    speed, both = _speed(crowd)
    step = np.diff(crowd.path_m, axis=1)
    off = np.arctan2(step[..., 1], step[..., 0]) - crowd.heading_rad[:, :-1]
    off = np.abs((off + np.pi) % (2 * np.pi) - np.pi)[both & (speed > 0.5)]
    assert np.quantile(off, 0.95) < 0.3 and np.quantile(off, 0.999) < 1.5


@pytest.mark.parametrize("name", NAMES)
def test_people_keep_apart(name: str) -> None:
    crowd = plan(name)
    near = []
    for slot in range(0, crowd.num_slots, 10):
        xy = crowd.path_m[crowd.present[:, slot], slot]
        gap = np.linalg.norm(xy[:, None] - xy, axis=-1) + 9.0 * np.eye(len(xy))
        near.append(gap.min(axis=1))
    distance = np.concatenate(near)
    assert (distance < 0.4).mean() < 0.002 and distance.min() > 0.2


@pytest.mark.parametrize("name", NAMES)
def test_who_stands_stays(name: str) -> None:
    """A second into a stance the feet do not move at all, so that bodies need not slide."""
    crowd = plan(name)
    still = np.isin(crowd.activity, (Activity.STAND, Activity.TALK, Activity.QUEUE))
    speed, _ = _speed(crowd)
    kept = np.lib.stride_tricks.sliding_window_view(still, 60, axis=1).all(axis=-1)
    rows, starts = np.nonzero(kept)
    assert len(rows) > 100
    assert np.quantile(speed[rows, starts + 30], 0.95) < 1e-9
    assert speed[rows, starts + 30].max() < 0.25


@pytest.mark.parametrize("name", NAMES)
def test_groups_stay_together(name: str) -> None:
    crowd = plan(name)
    radius = []
    for group in range(crowd.group.max() + 1):
        rows = np.flatnonzero(crowd.group == group)
        assert 1 <= len(rows) <= 5
        together = crowd.present[rows].all(axis=0)
        if len(rows) > 1 and together.any():
            xy = crowd.path_m[rows][:, together]
            radius.append(np.linalg.norm(xy - xy.mean(axis=0), axis=2).max(axis=0))
    spread = np.concatenate(radius)
    assert len(radius) >= 5
    assert np.quantile(spread, 0.5) < 1.0 and np.quantile(spread, 0.95) < 3.0 and spread.max() < 7.0


def test_statures() -> None:
    crowd = plan("plaza", 150, 20.0)
    child = np.array(crowd.role) == "child"
    assert np.all((crowd.stature_m[child] >= 0.95) & (crowd.stature_m[child] <= 1.45))
    adults = crowd.stature_m[~child]
    assert adults.min() >= 1.5 and adults.max() <= 2.0 and 1.66 < adults.mean() < 1.77
    assert 0.03 < child.mean() < 0.14
    role = np.array(crowd.role)
    for group in np.unique(crowd.group[child]):  # no child without an adult
        assert "parent" in role[crowd.group == group]


def test_all_behaviours_occur() -> None:
    crowd = plan("plaza", 150, 20.0)
    assert {"commuter", "stroller", "parent", "child", "jogger", "talker", "queuer", "waiter", "returner",
            "stopper", "turner"} <= set(crowd.role)  # fmt: skip
    share = {a: float((crowd.activity[crowd.present] == a).mean()) for a in Activity}
    assert share[Activity.WALK] > 0.5 and share[Activity.JOG] > 0.005
    assert min(share[Activity.STAND], share[Activity.TALK], share[Activity.QUEUE]) > 0.02
    talking = (crowd.activity == Activity.TALK).astype(np.int8)
    begun_or_ended = np.diff(talking, axis=1)
    assert np.any(begun_or_ended == 1) and np.any(begun_or_ended == -1)


def test_talkers_face_the_middle() -> None:
    crowd = plan("plaza", 150, 20.0)
    off = []
    for group in np.unique(crowd.group[crowd.group >= 0]):
        rows = np.flatnonzero(crowd.group == group)
        talking = (crowd.activity[rows] == Activity.TALK).all(axis=0)
        if len(rows) > 1 and talking.sum() > 90:
            slot = np.flatnonzero(talking)[-1]
            to = crowd.path_m[rows, slot].mean(axis=0) - crowd.path_m[rows, slot]
            angle = np.arctan2(to[:, 1], to[:, 0]) - crowd.heading_rad[rows, slot]
            off.extend(np.abs((angle + np.pi) % (2 * np.pi) - np.pi))
    assert len(off) >= 6 and np.median(off) < 0.4


def test_queues_keep_their_order() -> None:
    crowd = plan("plaza", 150, 20.0)
    seen = 0
    for line in places("plaza").queues:
        along = (crowd.path_m - line.head_m) @ line.away
        beside = np.abs((crowd.path_m - line.head_m) @ np.array([-line.away[1], line.away[0]]))
        stands = (crowd.activity == Activity.QUEUE) & (beside < 0.4) & (along > -0.4) & (along < 7.0)
        rows = np.flatnonzero(stands.sum(axis=1) > 30)
        for k, one in enumerate(rows):
            for other in rows[k + 1 :]:
                both = stands[one] & stands[other]
                if both.sum() > 10:
                    seen += 1
                    ahead = (along[one] - along[other])[both]
                    assert np.all(ahead > 0) or np.all(ahead < 0)
    assert seen >= 5


def test_queues_move_up() -> None:
    crowd = plan("plaza", 150, 20.0)
    nearer = 0
    for line in places("plaza").queues:
        far = np.linalg.norm(crowd.path_m - line.head_m, axis=2)
        for row in np.flatnonzero((crowd.activity == Activity.QUEUE).sum(axis=1) > 60):
            at = far[row, (crowd.activity[row] == Activity.QUEUE) & (far[row] < 7.0)]
            nearer += len(at) > 0 and at[0] - at[-1] > 0.5
    assert nearer >= 2


def test_returners_hide_for_seconds_and_come_back() -> None:
    crowd = plan("plaza", 150, 20.0)
    hides = places("plaza").hides_m
    stays = []
    for row in np.flatnonzero(np.array(crowd.role) == "returner"):
        near = np.linalg.norm(crowd.path_m[row, :, None] - hides, axis=-1).min(axis=1) < 0.6
        still = near & (crowd.activity[row] == Activity.STAND)
        slots = np.flatnonzero(still)
        if len(slots) and slots[0] > 0 and slots[-1] < crowd.num_slots - 60:
            stays.append(len(slots) / 30.0)
            assert crowd.activity[row, slots[-1] + 45] in (Activity.WALK, Activity.ABSENT)
    assert len(stays) >= 3 and 1.5 < np.median(stays) < 7.0


def test_some_overtake() -> None:
    crowd = plan("plaza", 150, 20.0)
    speed, both = _speed(crowd)
    walking = both & (crowd.activity[:, :-1] == Activity.WALK)
    pace = np.array([np.median(s[w]) for s, w in zip(speed, walking, strict=True) if w.sum() > 150])
    assert np.quantile(pace, 0.9) - np.quantile(pace, 0.1) > 0.4


@pytest.mark.parametrize(("view", "least"), [("high", 0.9), ("low", 0.6)])
@pytest.mark.parametrize("name", NAMES)
def test_cameras_see_the_crowd(name: str, view: str, least: float) -> None:
    crowd = plan(name)
    camera = place_camera(crowd.scene, view, (1920, 1080), 5)
    rows, slots = np.nonzero(crowd.present[:, ::10])
    xy = crowd.path_m[rows, 10 * slots]
    foot = np.concatenate([xy, surface_height_m(crowd.scene.ground, xy)[:, None]], axis=1)
    head = foot + crowd.stature_m[rows, None] * np.array([0.0, 0.0, 1.0])
    a, b = camera.project(foot), camera.project(head)
    with np.errstate(invalid="ignore"):
        inside = np.all((0.5 * (a + b) > 0) & (0.5 * (a + b) < (1920, 1080)), axis=1)
    tall = np.linalg.norm(a - b, axis=1)[inside]
    assert inside.mean() >= least
    assert ((tall > 30) & (tall < 260)).mean() > 0.9 and 40 < np.median(tall) < 200


@pytest.mark.parametrize(("people", "seconds"), [(1, 2.0), (10, 4.0), (250, 1.0)])
def test_any_number_of_people(people: int, seconds: float) -> None:
    crowd = plan_crowd(
        build_scene("station", 1), CrowdConfig(scene="station", people=people, seconds=seconds, warm_up_s=5.0)
    )
    count = crowd.present.sum(axis=0)
    slack = max(0.15 * people, 2.0)
    assert count.min() >= people - slack and count.max() <= people + slack
    assert crowd.num_slots == round(30 * seconds)


def test_a_scene_of_ones_own_without_obstacles() -> None:
    outline = np.array([[0.0, 0.0], [20.0, 0.0], [20.0, 15.0], [0.0, 15.0]])
    gates = (
        Gate("west", np.array([[0.0, 5.0], [0.0, 10.0]])),
        Gate("east", np.array([[20.0, 5.0], [20.0, 10.0]])),
    )
    crowd = plan_crowd(Scene("field", outline, Ground(), (), gates), CrowdConfig(people=8, seconds=3.0))
    assert crowd.present.sum(axis=0).min() >= 6
    with pytest.raises(CrowdstreamError, match="room for about"):
        plan_crowd(Scene("field", outline / 5.0, Ground(), (), gates), CrowdConfig(people=100, seconds=1.0))


def test_progress_counts_up_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    plan_crowd(
        build_scene("plaza", 0),
        CrowdConfig(people=5, seconds=1.0, warm_up_s=1.0),
        lambda done, total: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1] and [d for d, _ in seen] == sorted(d for d, _ in seen)
