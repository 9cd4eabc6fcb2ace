"""What can be refused before anything is started: within a second, not after a cluster, networks and a log."""

from __future__ import annotations

import socket

from ..stream.body_files import load_body
from ..stream.calibration_file import load_calibration
from ..stream.errors import LogError, PublishError
from ..stream.models.folder import choose
from ..stream.sources.live.address import is_live
from ..stream.sources.open import open_source
from ..stream.wire.log_format import check_head
from ..stream.wire.publish import PublishConfig
from ..stream.wire.server import Address
from ..stream.wire.server_settings import server_settings
from .camera import source_settings
from .plan import EnginePlan, SourceInfo


def check(plan: EnginePlan) -> list[SourceInfo]:
    """Open and close recordings, read calibrations, networks and body, try log and address.

    Live cameras are not tried: one that is away now may come later. The workers check again when they open the same
    things for good: the world may change in between.

    Returns:
        What the recordings say of themselves.

    Raises:
        CrowdstreamError: whatever the user has to mend, in one line.
    """
    infos = []
    for entry in plan.cameras:
        if is_live(entry.source):
            if entry.calibration is not None:
                load_calibration(entry.calibration, entry.name)
            continue
        with open_source(entry.source, source_settings(plan, entry)) as source:
            info = SourceInfo(source.camera, source.size_px, source.fps, source.start_ns, source.num_frames)
        plan.calibration_of(info)
        infos.append(info)
    for role, wanted in plan.networks():
        choose(plan.models, role, wanted).read()
    if plan.body is not None:
        load_body(plan.body)
    _check_log(plan)
    if plan.config.publish.listen:
        _check_address(plan.config.publish)
    return infos


def _check_log(plan: EnginePlan) -> None:
    log = plan.record
    if log is None or not log.is_file() or not log.stat().st_size:
        return
    try:
        check_head(log)
    except LogError as exc:
        raise LogError(f"--record would overwrite a file that is no log; name another ({exc})") from exc


def _check_address(config: PublishConfig) -> None:
    """Bind the address for a moment."""
    address = Address.parse(config.listen)
    server_settings(config)
    if address.scheme == "unix" or address.port == 0:
        return
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        socket.create_server((address.host, address.port), family=family).close()
    except OSError as exc:
        raise PublishError(
            f"cannot listen on {address}: {exc.strerror or exc}; is another engine up? Choose another address with "
            "--listen, or --listen none"
        ) from exc
