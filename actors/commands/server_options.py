"""How a command reaches a server: options that `tail`, `control` and others share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...stream.errors import PublishError
from ...stream.wire.access import read_token_file
from ...stream.wire.address import Address
from ...stream.wire.tls import Trust
from .console_output import note

TokenFileOption = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="File with the token on its first line")
]
CaOption = Annotated[
    Path | None, typer.Option("--ca", metavar="FILE", help="tls://: PEM file of whom to believe")
]
FingerprintOption = Annotated[
    str, typer.Option("--fingerprint", metavar="HEX", help="tls://: SHA-256 of the one certificate to accept")
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure", help="tls://: believe anybody, who may then read everything")
]


def trust_of(ca: Path | None, fingerprint: str, insecure: bool) -> Trust:
    """Raises PublishError for options that contradict each other."""
    if insecure and (ca or fingerprint):
        raise PublishError("--insecure checks nothing; leave out --ca and --fingerprint, or --insecure")
    if insecure:
        note.print("--insecure: the server's certificate is not checked")
    return Trust(ca, fingerprint, insecure)


def token_of(token: str, token_file: Path | None) -> str:
    """Raises PublishError for a file that cannot be used."""
    return read_token_file(token_file, "--token-file") if token_file is not None else token


def check_private(url: str, token: str, allow_plain: bool) -> None:
    """A token that controls an engine is not sent to other machines in the clear.

    Raises:
        PublishError: it would be.
    """
    address = Address.parse(url)
    if token and not address.is_local and address.scheme != "tls" and not allow_plain:
        raise PublishError(
            f"{address} would send the control token in the clear; use tls://, or --allow-plain where the network "
            "is trusted"
        )
