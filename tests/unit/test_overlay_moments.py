"""Bodies between slots, and videos that do or do not belong to a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from crowdstream.kernels.rotation import rotvec_to_rotmat_np
from crowdstream.kernels.solve.problem import Provenance, WindowSolution
from crowdstream.lab.bench.wire_cases import place_m, walkers_schema, walkers_window
from crowdstream.stream.overlay.config import OverlayError
from crowdstream.stream.overlay.fit import LogFacts, SharedClock, check_fit, enlarge_px, enlarged
from crowdstream.stream.overlay.moments import SLOT_NS, BodyCursor
from crowdstream.stream.overlay.status_line import clock

SLOT_S = 1 / 30


def cursor(windows: Sequence[WindowSolution]) -> BodyCursor:
    recording: Any = SimpleNamespace(windows=lambda: iter(windows))
    return BodyCursor(recording)


def test_on_a_slot_it_is_the_slot_and_between_it_is_between() -> None:
    bodies = cursor([walkers_window(3, 0)])
    for t_ns in (10 * SLOT_NS, round(20.5 * SLOT_NS), round(40.25 * SLOT_NS)):
        now = bodies.at(t_ns)
        assert now.person_ids.tolist() == [1, 2, 3] and not now.guessed.any()
        want = np.stack([place_m(p, t_ns) for p in (1, 2, 3)])
        np.testing.assert_allclose(now.ground_m, want, atol=1e-5)
        np.testing.assert_allclose(now.transl_m, want + np.array([0, 0, 0.95]), atol=1e-5)


def test_rotations_take_the_shorter_arc_at_even_speed() -> None:
    window = walkers_window(1, 0)
    pose = np.zeros_like(window.pose_rotvec)
    pose[:, ::2, 4] = [0.0, 0.0, np.pi - 0.1]
    pose[:, 1::2, 4] = [0.0, 0.0, -np.pi + 0.1]  # 0.2 rad further on, not back through zero
    now = cursor([replace(window, pose_rotvec=pose)]).at(round(10.5 * SLOT_NS))
    want = rotvec_to_rotmat_np(np.array([0.0, 0.0, np.pi]))
    np.testing.assert_allclose(now.rotmats[0, 4], want, atol=1e-3)


def test_who_is_in_one_slot_only_is_taken_from_there() -> None:
    window = walkers_window(2, 0)
    provenance = window.provenance.copy()
    provenance[1, :30] = Provenance.ABSENT
    provenance[0, 30:] = Provenance.ABSENT
    bodies = cursor([replace(window, provenance=provenance)])
    assert bodies.at(10 * SLOT_NS).person_ids.tolist() == [1]
    change = bodies.at(round(29.5 * SLOT_NS))
    assert change.person_ids.tolist() == [1, 2]
    np.testing.assert_allclose(change.ground_m[0], place_m(1, 29 * SLOT_NS), atol=1e-4)
    np.testing.assert_allclose(change.ground_m[1], place_m(2, 30 * SLOT_NS), atol=1e-4)
    np.testing.assert_allclose(np.linalg.det(change.rotmats), 1.0, atol=1e-6)
    assert bodies.at(40 * SLOT_NS).person_ids.tolist() == [2]


def test_guesses_and_revisions_are_told() -> None:
    window = walkers_window(3, 0, rev=2)
    provenance = window.provenance.copy()
    provenance[0], provenance[1] = Provenance.INFILLED, Provenance.INTERPOLATED
    now = cursor([replace(window, provenance=provenance)]).at(10 * SLOT_NS)
    assert now.guessed.tolist() == [True, False, False] and now.rev.tolist() == [2, 2, 2]


def test_nobody_before_the_first_and_after_the_last_slot_but_for_a_moment() -> None:
    bodies = cursor([walkers_window(2, 2)])  # slots 32 to 95
    assert len(bodies.at(20 * SLOT_NS)) == 0
    assert len(bodies.at(31 * SLOT_NS)) == 2
    assert len(bodies.at(96 * SLOT_NS)) == 2
    assert len(bodies.at(120 * SLOT_NS)) == 0
    assert len(cursor([]).at(0)) == 0


# --- fit --------------------------------------------------------------------------------------------------

FACTS = LogFacts(
    camera="cam0", size_px=(1280, 720), model=walkers_schema().cameras[0].model, ground=walkers_schema().ground,
    ground_z_m=0.0, places_m=np.zeros((0, 2)), middles_px=np.array([[10.0, 20.0]]), first_index=0, last_index=99,
    t0_ns=0, t1_ns=3_960_000_000, num_frames=100,
)  # fmt: skip
VIDEO = Path("a.mp4")


def source(**changes: object) -> Any:
    return SimpleNamespace(
        **{"size_px": (1280, 720), "fps": 25.0, "num_frames": 100, "camera": "a", **changes}
    )


def test_the_video_of_the_log_fits() -> None:
    assert check_fit(FACTS, source(), VIDEO, sure=False).notes == ()
    assert check_fit(FACTS, source(num_frames=None), VIDEO, sure=False).notes == ()
    assert check_fit(FACTS, source(num_frames=103), VIDEO, sure=False).stop_at > 103  # all of it is drawn


@pytest.mark.parametrize(
    ("changes", "both"),
    [
        ({"size_px": (640, 360)}, ("640x360", "1280x720")),
        ({"num_frames": 60}, ("60 frames", "100")),
        ({"num_frames": 400}, ("400 frames", "100")),
        ({"fps": 50.0}, ("50 frames/s", "25")),
    ],
)
def test_another_video_is_refused_and_both_are_named(
    changes: dict[str, object], both: tuple[str, str]
) -> None:
    with pytest.raises(OverlayError) as caught:
        check_fit(FACTS, source(**changes), VIDEO, sure=False)
    assert all(word in str(caught.value) for word in both)


def test_a_run_that_was_stopped_is_drawn_to_its_end_with_a_note() -> None:
    for sure, camera in ((True, "a"), (False, "cam0")):
        facts = check_fit(FACTS, source(num_frames=400, camera=camera), VIDEO, sure)
        assert len(facts.notes) == 1 and "400" in facts.notes[0] and facts.stop_at == 100


def test_clocks_that_come_apart_are_another_video() -> None:
    shared = SharedClock(VIDEO)
    start = 1_700_000_000_000_000_000
    assert shared.of(0, 0, start) == start
    assert shared.of(1, 40_000_000, None) == start + 40_000_000
    assert shared.of(2, 80_000_000, start + 85_000_000) == start + 85_000_000
    with pytest.raises(OverlayError, match=r"frame 50 .* 2\.00 s .* 5\.00 s"):
        shared.of(50, 2_000_000_000, start + 5_000_000_000)


@pytest.mark.parametrize("zoom", [1, 2, 3])
def test_an_enlarged_camera_sees_the_same(zoom: int) -> None:
    points = np.random.default_rng(0).uniform((-2, -1, 0), (2, 3, 2), (20, 3))
    large = enlarged(FACTS, zoom)
    assert large.model is not None and FACTS.model is not None
    assert large.size_px == large.model.size_px == (1280 * zoom, 720 * zoom)
    np.testing.assert_allclose(large.model.project(points), enlarge_px(FACTS.model.project(points), zoom))


def test_times_are_written_as_people_read_them() -> None:
    assert [clock(t) for t in (0.0, 9.96, 61.25, 3725.0, -0.3)] == [
        "00:00.0",
        "00:10.0",
        "01:01.2",
        "1:02:05.0",
        "00:00.0",
    ]
