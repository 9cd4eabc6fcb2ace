"""Recordings as tracks: upright, continuous, split by subject, cut into windows, around glitches, from any folders."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from crowdstream.kernels.body.kinematics import forward_kinematics_np
from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.priors.motion_state import place_joints
from crowdstream.lab.mocap import MocapClip, MocapError
from crowdstream.lab.motion.folders import read_recordings, read_tracks
from crowdstream.lab.motion.quality import clean, glitches, pieces
from crowdstream.lab.motion.reference import REST_JOINTS_M
from crowdstream.lab.motion.split import TRAINING_SUBJECTS, VALIDATION_SUBJECTS, held_back, split
from crowdstream.lab.motion.track import R_ZUP_YUP, MotionTrack, motion_track, motion_tracks
from crowdstream.lab.motion.windows import (
    MIRROR_CONTACT,
    SIDES,
    WINDOW,
    WindowBank,
    WindowSampler,
    quat_to_rotmat,
)

sys.path.insert(0, str(Path(__file__).parents[1]))
from motion_clips import standing, tracks, walking

sys.path.pop(0)

REST = torch.tensor(REST_JOINTS_M[:22], dtype=torch.float32)


def joints_of(track: MotionTrack) -> np.ndarray:
    rotmats = quat_to_rotmat(torch.from_numpy(track.quats))
    joints, _ = place_joints(rotmats, torch.from_numpy(track.root_m), REST)
    return joints.numpy()


def close(a: np.ndarray | torch.Tensor, b: np.ndarray | torch.Tensor, within: float = 1e-6) -> bool:
    return float(np.abs(np.asarray(a) - np.asarray(b)).max()) <= within


class TestTrack:
    def test_joints_are_those_of_the_clip_turned_up(self) -> None:
        clip = walking()
        joints, _ = forward_kinematics_np(
            clip.pose_rotvec.astype(float),
            np.zeros(1),
            clip.pelvis_m.astype(float),
            REST_JOINTS_M,
            np.zeros((24, 3, 1)),
        )
        assert close(joints_of(motion_track(clip)), joints[:, :22] @ R_ZUP_YUP.T, 1e-5)

    def test_heads_are_up_and_walkers_go_where_they_face(self) -> None:
        track = motion_track(walking())
        joints = joints_of(track)
        assert (joints[:, 15, 2] > joints[:, 0, 2] + 0.5).all()
        facing = quat_to_rotmat(torch.from_numpy(track.quats[:, 0]))[:, :2, 2].numpy().mean(0)
        way = track.root_m[-1, :2] - track.root_m[0, :2]
        assert facing @ way / np.linalg.norm(facing) / np.linalg.norm(way) > 0.99

    def test_quaternions_never_change_sign_between_frames(self) -> None:
        for track in tracks():
            assert ((track.quats[1:] * track.quats[:-1]).sum(-1) > 0.8).all()
            assert close(np.linalg.norm(track.quats, axis=-1), np.ones(1))

    def test_a_full_turn_stays_continuous(self) -> None:
        clip = standing(120)
        turn = np.linspace(0, 2.5 * np.pi, 120)[:, None] * np.array([0.0, 1.0, 0.0])
        pose = clip.pose_rotvec.copy()
        pose[:, 0] = turn
        track = motion_track(replace(clip, pose_rotvec=pose))
        assert ((track.quats[1:] * track.quats[:-1]).sum(-1) > 0.99).all()

    def test_contacts_do_not_know_the_heading(self) -> None:
        clip = walking()
        turn = Rotation.from_rotvec([0.0, 0.7, 0.0])
        pose = clip.pose_rotvec.copy()
        pose[:, 0] = (turn * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
        turned = replace(clip, pose_rotvec=pose, pelvis_m=turn.apply(clip.pelvis_m).astype(np.float32))
        same = motion_track(turned).contact == motion_track(clip).contact
        assert same.mean() > 0.995  # but for steps of just 5 mm

    def test_standing_people_rest_on_both_feet(self) -> None:
        contact = motion_track(standing()).contact
        assert contact[:, :4].mean() > 0.95
        assert not contact[:, 4:].any()

    def test_uneven_ground_has_no_known_contacts(self) -> None:
        assert not motion_track(replace(walking(), flat_ground=False)).contact_known


class TestSplit:
    def test_nobody_is_on_both_sides(self) -> None:
        assert not VALIDATION_SUBJECTS & TRAINING_SUBJECTS
        named = [replace(tracks()[0], subject=f"x{k}") for k in range(300)]
        training, validation = split(named)
        assert not {t.subject for t in training} & {t.subject for t in validation}
        assert len(training) + len(validation) == 300
        assert 10 < len(validation) < 60

    def test_known_subjects_stay_where_they_are(self) -> None:
        assert all(held_back(subject) for subject in VALIDATION_SUBJECTS)
        assert not any(held_back(subject) for subject in TRAINING_SUBJECTS)


class TestWindows:
    def test_as_recorded_is_the_frames_themselves(self) -> None:
        track = tracks()[0]
        window = WindowBank([track]).cut(np.array([0]), np.array([20.0]), np.ones(1), np.zeros(1, bool))
        assert close(window.root_m[0], track.root_m[20 : 20 + WINDOW])
        assert close(window.rotmats[0], quat_to_rotmat(torch.from_numpy(track.quats[20:84])))
        assert (window.contact[0].numpy() == track.contact[20:84]).all()

    def test_twice_in_a_mirror_is_as_it_was(self) -> None:
        bank = WindowBank(tracks())
        args = (np.arange(3), np.full(3, 11.0), np.ones(3))
        plain, mirrored = (bank.cut(*args, np.full(3, flip)) for flip in (False, True))
        flipped = [_mirrored(track) for track in tracks()]
        again = WindowBank(flipped).cut(*args, np.ones(3, bool))
        assert close(again.rotmats, plain.rotmats)
        assert close(again.root_m, plain.root_m)
        assert torch.equal(again.contact, plain.contact)
        assert not torch.allclose(mirrored.rotmats, plain.rotmats, atol=1e-3)

    def test_a_mirror_moves_every_joint_to_its_mirror_place(self) -> None:
        bank = WindowBank(tracks())
        args = (np.arange(3), np.full(3, 11.0), np.ones(3))
        plain, mirrored = (
            place_joints(w.rotmats, w.root_m, REST)[0]
            for w in (bank.cut(*args, np.full(3, flip)) for flip in (False, True))
        )
        expected = plain[:, :, SIDES] * torch.tensor([-1.0, 1.0, 1.0])
        assert close(mirrored, expected, 1e-5)

    def test_half_the_pace_takes_half_the_way(self) -> None:
        bank = WindowBank(tracks())
        fast, slow = (
            bank.cut(np.array([1]), np.zeros(1), np.array([rate]), np.zeros(1, bool)).root_m[0]
            for rate in (2.0, 1.0)
        )
        assert close(fast[:32], slow[::2])

    def test_between_frames_bodies_stay_bodies(self) -> None:
        window = WindowSampler(WindowBank(tracks()), 0).draw(32)
        assert close(window.rotmats @ window.rotmats.transpose(-1, -2), torch.eye(3), 1e-5)

    def test_warped_windows_begin_and_end_where_even_ones_do_and_never_go_back(self) -> None:
        sampler = WindowSampler(WindowBank(tracks()), 0, warp=0.3)
        rate = np.array([1.0, 0.8, 1.2, 1.25])
        warp = sampler._warps(rate)
        assert not warp[0].any()  # as recorded stays so
        assert np.abs(warp[1:]).max() > 0.5
        assert close(warp[:, [0, -1]], np.zeros(1), 1e-12)
        step = rate[:, None] + np.diff(warp, axis=1)
        assert (step > 0.69 * rate[:, None]).all() and (step < 1.31 * rate[:, None]).all()

    def test_categories_are_drawn_by_their_shares(self) -> None:
        sampler = WindowSampler(WindowBank(tracks()), 0, {"walk": 0.9, "idle_stand": 0.1}, flatten=0.0)
        walks = np.array([track.category == "walk" for track in tracks()])
        assert sampler.weight[walks].sum() == pytest.approx(0.9)
        drawn = walks[sampler.draw(800).track.numpy()].mean()
        assert drawn == pytest.approx(0.9, abs=0.035)  # three standard deviations

    def test_same_seed_same_windows(self) -> None:
        first, second, other = (WindowSampler(WindowBank(tracks()), seed).draw(8) for seed in (4, 4, 5))
        assert torch.equal(first.rotmats, second.rotmats)
        assert not torch.equal(first.rotmats, other.rotmats)

    def test_too_short_tracks_are_never_drawn(self) -> None:
        short = motion_track(walking(WINDOW - 1, name="short"))
        assert WindowSampler(WindowBank([*tracks(), short]), 0).weight[-1] == 0.0

    def test_no_tracks_is_an_error_that_says_so(self) -> None:
        with pytest.raises(ShapeError, match="no tracks"):
            WindowBank([])


def _mirrored(track: MotionTrack) -> MotionTrack:
    return replace(
        track,
        quats=track.quats[:, SIDES.numpy()] * np.array([1, 1, -1, -1], np.float32),
        root_m=track.root_m * np.array([-1, 1, 1], np.float32),
        contact=track.contact[:, MIRROR_CONTACT.numpy()],
    )


class TestGate:
    def test_textbook_motion_is_clean(self) -> None:
        for track in tracks():
            assert not glitches(track).any()
            assert pieces(track) == [track]

    def test_a_flipped_wrist_is_cut_around(self) -> None:
        track = tracks()[0]
        quats = track.quats.copy()
        quats[80, 20] = [0.0, 1.0, 0.0, 0.0]  # half a turn for one frame
        kept, gate = clean([replace(track, quats=quats)])
        assert gate.glitches == 2 and gate.cut_clips == 1
        assert [piece.num_frames for piece in kept] == [78, 150 - 83]
        assert all(not glitches(piece).any() for piece in kept)
        assert close(kept[1].root_m, track.root_m[83:])
        assert gate.frames_in == gate.frames_out + gate.frames_glitch + gate.frames_short

    def test_a_jump_of_the_pelvis_is_cut_around(self) -> None:
        track = tracks()[1]
        root = track.root_m.copy()
        root[70:] += np.array([0.0, 0.3, 0.0], np.float32)
        kept, gate = clean([replace(track, root_m=root)])
        assert gate.glitches >= 1
        assert [piece.num_frames >= WINDOW for piece in kept] == [True, True]
        assert all(not glitches(piece).any() for piece in kept)

    def test_short_clips_are_counted(self) -> None:
        _, gate = clean(motion_tracks([walking(40, name="a"), walking(100, name="b")]))
        assert (gate.short_clips, gate.frames_short, gate.frames_out) == (1, 40, 100)
        assert "100 of 140 frames of 2 clips" in str(gate)

    def test_a_single_frame_is_no_glitch(self) -> None:
        assert len(glitches(motion_track(walking(1)))) == 0


def written(folder: Path, clips: list[MocapClip]) -> Path:
    folder.mkdir()
    np.savez(
        folder / "drawn_000.npz",
        poses=np.concatenate([clip.pose_rotvec for clip in clips]).astype(np.float16),
        trans=np.concatenate([clip.pelvis_m for clip in clips]),
    )
    with (folder / "index.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip", "category", "shard", "start", "frames", "flat_ground", "subject", "licence"])
        start = 0
        for clip in clips:
            flat = str(int(clip.flat_ground))
            rows.writerow(
                [clip.name, clip.category, "drawn_000.npz", start, clip.num_frames, flat, "s", "free"]
            )
            start += clip.num_frames
    return folder


class TestFolders:
    def test_clips_there_twice_are_read_once_from_the_first(self, tmp_path: Path) -> None:
        first = written(tmp_path / "a", [walking(100, 7, "one"), standing(100, name="two")])
        second = written(tmp_path / "b", [walking(90, 4, "one"), walking(80, 4, "three")])
        read = read_recordings([first, second])
        assert [track.name for track in read.tracks] == ["one", "two", "three"]
        assert read.tracks[0].num_frames == 100
        assert read.doubles == ("one",)
        assert "1 clips were there twice" in str(read)

    def test_amass_and_mocap_together(self, tmp_path: Path) -> None:
        own = written(tmp_path / "own", [walking(100, name="one")])
        amass = tmp_path / "amass" / "subject"
        amass.mkdir(parents=True)
        clip = walking(160)
        poses = np.zeros((160, 156))
        poses[:, :66] = clip.pose_rotvec[:, :22].reshape(160, 66)
        np.savez(
            amass / "walk_poses.npz", poses=poses, trans=clip.pelvis_m @ R_ZUP_YUP.T, mocap_framerate=60.0
        )
        names = [track.name for track in read_tracks([own, tmp_path / "amass"])]
        assert names == ["one", "subject/walk_poses"]

    def test_uneven_ground_is_counted_and_short_clips_left_out(self, tmp_path: Path) -> None:
        rough = replace(walking(100, name="rough"), flat_ground=False)
        read = read_recordings([written(tmp_path / "a", [rough, walking(30, name="short")])])
        assert read.uneven == 1 and read.gate.short_clips == 1
        assert [track.contact_known for track in read.tracks] == [False]

    def test_a_folder_with_nothing_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(MocapError, match="no motion capture"):
            read_recordings([tmp_path])
