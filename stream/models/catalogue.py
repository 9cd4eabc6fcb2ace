"""The networks this project knows: name, public address, sha256, licence, tensor contract.

Sums are those of the `.onnx` itself (of the member inside, where the download is a zip). `None` means that no
public pin was found; such a download is accepted on first use and its sum shown, never silently trusted later.
Nothing of this ships with the package: `crowdstream models pull NAME` fetches it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_OPENMMLAB = "https://download.openmmlab.com/mmpose/v1/projects/rtmposev1/onnx_sdk/"
_RTMO = "https://download.openmmlab.com/mmpose/v1/projects/rtmo/onnx_sdk/"
_YOLOX = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/"
_APACHE = "Apache-2.0"


class Role(StrEnum):
    """What a network is for."""

    DETECTOR = "detector"
    POSE = "pose"
    REID = "reid"


@dataclass(frozen=True)
class CatalogueEntry:
    """One published network."""

    name: str
    role: Role
    contract: str
    """Adapter that reads its tensors: rtmdet, yolox, end_to_end, simcc, heatmap, embedding, embedding_narrow."""
    file: str
    """File name in the model folder."""
    sha256: str | None
    licence: str
    rank: int
    """Higher is preferred among the files of a role that lie in the folder (accuracy for its cost on a CPU)."""
    url: str | None = None
    """None: no stable public address; the file must be brought."""
    member: str | None = None
    """Path inside the zip that `url` gives; None: the download is the file."""
    size_bytes: int | None = None
    note: str = ""


def _zip(stem: str, base: str = _OPENMMLAB) -> tuple[str, str]:
    return f"{base}{stem}.zip", "end2end.onnx"


def _mmpose(
    name: str,
    role: Role,
    contract: str,
    stem: str,
    sha256: str | None,
    rank: int,
    note: str = "",
    base: str = _OPENMMLAB,
) -> CatalogueEntry:
    url, member = _zip(stem, base)
    return CatalogueEntry(
        name, role, contract, f"{name}.onnx", sha256, _APACHE, rank, url, member, None, note
    )


CATALOGUE: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        "rtmdet-nano-person-dynamic", Role.DETECTOR, "rtmdet", "rtmdet_nano_person_dyn.onnx",
        "4720eda18a18402e7b76d85827d4bc60fba18111fc0b74b559e4d24da9ddc3d2", _APACHE, 50,
        "https://raw.githubusercontent.com/zli20/RtmDet-RtmPose-OnnxRuntime/"
        "f7cb01b156d0ddce64ea09dfd24e450103782db9/models/rtmdet_nano.onnx",
        None, 4_038_157, "any H x W; at most 100 boxes a pass",
    ),
    _mmpose(
        "rtmdet-nano-person-320", Role.DETECTOR, "rtmdet",
        "rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e",
        "8297e829ccc5590c8e2d32d5a211f322a0585fb7467eec85eb12c9525b0b95d6", 20, "fixed 320x320",
    ),
    CatalogueEntry(
        "yolox-nano", Role.DETECTOR, "yolox", "yolox_nano.onnx",
        "c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d", _APACHE, 10,
        _YOLOX + "yolox_nano.onnx", None, 3_659_407, "fixed 416x416, 80 classes",
    ),
    CatalogueEntry(
        "yolox-nano-dynamic", Role.DETECTOR, "yolox", "yolox_nano_dyn.onnx",
        "14ce2bc722f8af5c1ac90c005bb866735ab4a978af4c40cc3ea34f993aec5af1", _APACHE, 30,
        None, None, 3_647_730, "yolox-nano with the declared shapes freed",
    ),
    CatalogueEntry(
        "yolox-tiny", Role.DETECTOR, "yolox", "yolox_tiny.onnx",
        "427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7", _APACHE, 25,
        _YOLOX + "yolox_tiny.onnx", None, 20_219_662, "fixed 416x416, 80 classes",
    ),
    CatalogueEntry(
        "yolox-s", Role.DETECTOR, "yolox", "yolox_s.onnx",
        "c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063", _APACHE, 40,
        _YOLOX + "yolox_s.onnx", None, 35_858_002, "fixed 640x640, 80 classes",
    ),
    _mmpose(
        "yolox-tiny-humanart", Role.DETECTOR, "end_to_end", "yolox_tiny_8xb8-300e_humanart-6f3252f9",
        "ceb11c07298f95c50d7c5abeb906d03340c85f23aa79e3e66966e7fb6c307250", 26, "fixed 416x416",
    ),
    _mmpose(
        "yolox-s-humanart", Role.DETECTOR, "end_to_end", "yolox_s_8xb8-300e_humanart-3ef259a7",
        "332e09ea9696e3401049b6c5314851db020b6430f85da159e65f37034ab3aee8", 42, "fixed 640x640",
    ),
    _mmpose(
        "yolox-m-humanart", Role.DETECTOR, "end_to_end", "yolox_m_8xb8-300e_humanart-c2c7a14a",
        "3dea6513388889f0fff4b77bf7a26013600321b9eb9ceb0e9a400a82572f5f23", 44, "fixed 640x640; for a GPU",
    ),
    _mmpose(
        "yolox-x-humanart", Role.DETECTOR, "end_to_end", "yolox_x_8xb8-300e_humanart-a39d44ed",
        "8e9ea96a176bd48501eaaa77216e49ee30794d2f8ba80c7b9862beca4ea972da", 46, "fixed 640x640; for a GPU",
    ),
    _mmpose(
        "rtmpose-t", Role.POSE, "simcc", "rtmpose-t_simcc-body7_pt-body7_420e-256x192-026a1439_20230504",
        "a6c2f6a3896a4d51131d14d7a80a3d08b50f559af5a58a45d5b098aef510a70f", 50, "256x192",
    ),
    _mmpose(
        "rtmpose-s", Role.POSE, "simcc", "rtmpose-s_simcc-body7_pt-body7_420e-256x192-acd4a1ef_20230504",
        "9aeb635b83f86aea45cf45d85798f7eba1a162de8e0d721c44e54fe5eebaf47d", 60, "256x192",
    ),
    _mmpose(
        "rtmpose-m", Role.POSE, "simcc", "rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0_20230504",
        "5c0a4bf67953e6d2ac43ce15e77dc9d5d354ae18430a47d2c5963a7bc5683e3c", 70, "256x192; for a GPU",
    ),
    _mmpose(
        "rtmpose-l", Role.POSE, "simcc", "rtmpose-l_simcc-body7_pt-body7_420e-256x192-4dba18fc_20230504",
        "cff059fd58a2c0d5fabaddcd66a96abcfb327563bcb0149ea59c9de4a8990fe2", 72, "256x192; for a GPU",
    ),
    _mmpose(
        "rtmpose-l-384", Role.POSE, "simcc", "rtmpose-l_simcc-body7_pt-body7_420e-384x288-3f5a1437_20230504",
        "62425affc6b9edba8f8a65f55f5e278fec5d905d0c90578e0f8503bdf3954587", 74, "384x288; for a GPU",
    ),
    _mmpose(
        "rtmpose-x-384", Role.POSE, "simcc", "rtmpose-x_simcc-body7_pt-body7_700e-384x288-71d7b7e9_20230629",
        "df0c0fa91e9870b1515dcaff741fd76cc753dcfb12786862f61b243bae81cd52", 76, "384x288; for a GPU",
    ),
    _mmpose(
        "rtmpose-m-halpe26", Role.POSE, "simcc",
        "rtmpose-m_simcc-body7_pt-body7-halpe26_700e-256x192-4d3e73dd_20230605",
        None, 71, "first 17 of 26 keypoints are COCO's; no public pin found",
    ),
    CatalogueEntry(
        "pp-tinypose-128x96", Role.POSE, "heatmap", "pp_tinypose_128x96.onnx",
        "183b54dd8f90237cf05bb7cf0cdf14901da8af70823b9e932e0f918a07e64232", _APACHE, 40,
        None, None, 5_291_323, "Paddle weights converted to ONNX; 3-4 times faster than 256x192",
    ),
    CatalogueEntry(
        "pp-tinypose-256x192", Role.POSE, "heatmap", "pp_tinypose_256x192.onnx",
        "c5a20836e633be39c8a3931a2e9ee150cf072f5f61f0f440c93bdb74bd3093ff", _APACHE, 35,
        None, None, 5_291_324, "Paddle weights converted to ONNX",
    ),
    CatalogueEntry(
        "person-reid-retail-0287", Role.REID, "embedding", "person_reid_retail_0287.onnx",
        "f35a22885b93aa0c249d665b4cf5510d08ded92f814694c3c2fec0112b0d3a56", _APACHE, 20,
        None, None, 2_454_677, "256-d appearance code; Open Model Zoo weights",
    ),
    CatalogueEntry(
        "person-reid-retail-0288", Role.REID, "embedding_narrow", "person_reid_retail_0288.onnx",
        "f3966d905e7232026aa8b814c328231a7b45c5b6b4dd32f886894223c4441b80", _APACHE, 30,
        None, None, 813_323, "256-d appearance code; Open Model Zoo weights",
    ),
)  # fmt: skip


def entry_by_name(name: str) -> CatalogueEntry | None:
    """The entry of a catalogue name, or None."""
    return next((entry for entry in CATALOGUE if entry.name == name), None)
