"""What an error of FFmpeg means for a camera: its kind and how long it took, as one of `SourceFault`.

Types alone do not tell: a camera that takes the connection and says nothing comes out as `InvalidDataError` when
the time is up, and so does one that answers nonsense, at once. An unknown host is an `Input/output error`.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

import av

from .address import Address, AddressKind, redacted
from .records import SourceFault

_MOST_OF = 0.8
"""An error after this share of the time allowed is the time running out."""


class NoFrames(Exception):
    """Why a camera gives no frames, as the reader of the stream found it."""

    def __init__(self, fault: SourceFault, text: str) -> None:
        super().__init__(text)
        self.fault, self.text = fault, redacted(text)


@dataclass(frozen=True)
class Verdict:
    """A fault, and one line about it without secrets."""

    fault: SourceFault
    text: str


SLOW = frozenset(
    {
        SourceFault.AUTH_FAILED,
        SourceFault.NOT_FOUND,
        SourceFault.TLS,
        SourceFault.CODEC_UNSUPPORTED,
        SourceFault.NO_VIDEO,
    }
)
"""Faults that an operator mends, not time: tried again seldom."""

STALLS = frozenset({SourceFault.SILENT, SourceFault.BROKEN})
"""Faults of a camera that is there and gives nothing usable."""


def classify_open(error: BaseException, elapsed_s: float, limit_s: float, address: Address) -> Verdict:
    """What failed while the camera was being opened.

    Args:
        elapsed_s: since the try began.
        limit_s: how long it was allowed to take.
    """
    if isinstance(error, NoFrames):
        return Verdict(error.fault, error.text)
    where, words = address.shown, redacted(_words(error))
    code = getattr(error, "errno", None)
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return Verdict(SourceFault.AUTH_FAILED, f"{where} refuses the credentials; check user and password")
    if isinstance(error, PermissionError):
        return Verdict(
            SourceFault.AUTH_FAILED, f"no permission to read {where}; add the user to group 'video'"
        )
    if isinstance(error, av.error.HTTPNotFoundError):
        return Verdict(SourceFault.NOT_FOUND, f"{where} is not known to the camera (404); check the path")
    if isinstance(error, FileNotFoundError) or code in (errno.ENODEV, errno.ENXIO):
        return Verdict(SourceFault.NOT_FOUND, f"there is no {where}; is it plugged in?")
    if isinstance(error, av.error.HTTPError | av.error.HTTPClientError) or code == errno.EBUSY:
        return Verdict(SourceFault.BUSY, f"{where} takes no more viewers, or is in use ({words})")
    if isinstance(error, ConnectionRefusedError):
        return Verdict(SourceFault.REFUSED, f"nobody listens at {where}")
    if code in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return Verdict(SourceFault.REFUSED, f"no route to {where}")
    if isinstance(error, TimeoutError | av.error.ExitError) or elapsed_s >= _MOST_OF * limit_s:
        return Verdict(SourceFault.TIMEOUT, f"{where} did not answer within {elapsed_s:.1f} s")
    return _classify_rest(error, address, words)


def _classify_rest(error: BaseException, address: Address, words: str) -> Verdict:
    """Errors that came at once and whose type says little."""
    where = address.shown
    if isinstance(error, av.error.DecoderNotFoundError):
        return Verdict(
            SourceFault.CODEC_UNSUPPORTED, f"{where} sends a codec that is not known here ({words})"
        )
    if isinstance(
        error, av.error.ProtocolNotFoundError | av.error.DemuxerNotFoundError | av.error.OptionNotFoundError
    ):
        return Verdict(SourceFault.CODEC_UNSUPPORTED, f"this build cannot read {where} ({words})")
    if address.url.lower().startswith(("rtsps:", "https:", "rtmps:")) and isinstance(
        error, OSError | av.error.ExternalError
    ):
        text = f"no secure connection to {where} ({words}); if it signs its own certificate, see live.tls_ca_file"
        return Verdict(SourceFault.TLS, text)
    if isinstance(error, av.error.EOFError | ConnectionError | BrokenPipeError):
        return Verdict(SourceFault.CLOSED, f"{where} closed the connection ({words})")
    if isinstance(error, OSError) and address.kind is not AddressKind.DEVICE:
        return Verdict(SourceFault.NOT_FOUND, f"cannot reach {where} ({words}); is the host's name right?")
    return Verdict(SourceFault.BROKEN, f"what {where} sends is no video ({words})")


def classify_read(error: BaseException, address: Address) -> Verdict:
    """What ended a stream that was open."""
    if isinstance(error, NoFrames):
        return Verdict(error.fault, error.text)
    words = redacted(_words(error))
    if isinstance(error, TimeoutError | av.error.ExitError):
        return Verdict(SourceFault.SILENT, f"{address.shown} says nothing any more")
    if getattr(error, "errno", None) == errno.ENODEV:
        return Verdict(SourceFault.NOT_FOUND, f"{address.shown} was unplugged")
    if isinstance(error, OSError | av.error.EOFError):
        return Verdict(SourceFault.CLOSED, f"{address.shown} ended the stream ({words})")
    return Verdict(SourceFault.BROKEN, f"what {address.shown} sends cannot be read ({words})")


def _words(error: BaseException) -> str:
    """FFmpeg's own sentence, without the address that PyAV adds."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0].rstrip(".")[:200]
