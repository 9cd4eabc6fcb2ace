"""TLS on both sides: what a server shows, and what a subscriber believes.

TLS 1.2 is the least on either side. A subscriber checks the certificate and the name in it against the system's
authorities, a file of its own, or one pinned certificate; to check nothing has to be asked for in so many words.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
from dataclasses import dataclass
from pathlib import Path

from ..errors import PublishError

FINGERPRINT_DIGITS = 64
"""SHA-256 in hex."""


def server_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """What a server shows.

    Raises:
        PublishError: files that cannot be read, or do not belong together.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as exc:
        said = getattr(exc, "strerror", None) or str(exc)
        raise PublishError(
            f"cannot use the certificate {certificate}: {said}; set publish.tls_cert and publish.tls_key to PEM "
            "files that belong together"
        ) from exc
    return context


@dataclass(frozen=True)
class Trust:
    """Whom a subscriber believes."""

    ca: Path | None = None
    """PEM file of authorities, or of the server's own certificate; None for the system's."""
    fingerprint: str = ""
    """SHA-256 of the one certificate that is accepted, in hex; then neither name nor authority counts."""
    insecure: bool = False
    """Believe anybody: whoever stands in between reads everything, the token too."""

    def __post_init__(self) -> None:
        digits = self._digits
        if digits and (len(digits) != FINGERPRINT_DIGITS or not set(digits) <= set("0123456789abcdef")):
            raise PublishError(
                f"fingerprint of {len(digits)} digits, expected the {FINGERPRINT_DIGITS} hex digits of SHA-256 "
                "(openssl x509 -in cert.pem -noout -fingerprint -sha256)"
            )

    @property
    def _digits(self) -> str:
        return self.fingerprint.replace(":", "").strip().lower()

    def context(self) -> ssl.SSLContext:
        """Raises PublishError where the file of authorities cannot be read."""
        try:
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        except (OSError, ssl.SSLError) as exc:
            said = getattr(exc, "strerror", None) or str(exc)
            raise PublishError(f"cannot use {self.ca} as authority: {said}; expected a PEM file") from exc
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._digits or self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def check(self, certificate: bytes | None) -> None:
        """To be asked after the handshake, before anything is sent.

        Raises:
            PublishError: another certificate than the pinned one.
        """
        if not self._digits:
            return
        shown = hashlib.sha256(certificate or b"").hexdigest()
        if not hmac.compare_digest(shown, self._digits):
            raise PublishError(
                f"the server shows the certificate {shown[:16]}..., expected {self._digits[:16]}...; "
                "somebody stands in between, or the certificate was changed"
            )
