"""No secret leaves in a text: credentials in addresses, tokens in queries and headers, whatever is known to be one.

Better too much hidden than too little: of anything that looks like an address with an `@`, all before the last `@`
goes, for passwords hold slashes and at signs that no parser agrees on. Linear in practice; give it bounded texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "***"
SHORTEST_SECRET = 4
"""Characters. Shorter ones would hide every other word and are no secrets."""

_LONG_NAMES = r"(?:token|passw(?:or)?d|passphrase|pwd|secret|credentials?|(?:api|access|private)[_\-]?key)"
_SHORT_NAMES = r"(?<![a-z0-9])(?:pass|auth|sig|signature|key)"
"""Ends of many harmless words, and words of prose: only in front of an equals sign."""
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s&;,#"'}\])]+)"""

_USERINFO = re.compile(r"((?<![a-zA-Z0-9])[a-zA-Z][a-zA-Z0-9+.\-]{0,31}:/{1,3})\S*@")
_PAIR = re.compile(rf"""(?i)({_LONG_NAMES}["']?\s*[=:]\s*|{_SHORT_NAMES}=){_VALUE}""")
_AUTHORIZATION = re.compile(r"""(?i)(authorization["']?\s*[=:]\s*["']?)[^\r\n"']+""")
_SCHEME = re.compile(r"\b([Bb]earer\s+|[Bb]asic\s+(?=\S*[A-Z0-9]))[A-Za-z0-9+/=._~\-]{4,}")
_FIELD = re.compile(rf"(?i).*{_LONG_NAMES}|(?:.*[_\-])?(?:pass|auth|authorization|sig|signature)")


class Secrets:
    """Values that are known to be secret: tokens given, passwords out of camera addresses."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._spellings: set[str] = set()
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Hides it from now on, also as it is spelled inside an address."""
        if len(value) >= SHORTEST_SECRET:
            self._spellings |= {value, quote(value, safe=""), quote(value), quote_plus(value)}

    def add_address(self, url: str) -> None:
        """Hides the password of an address, wherever it turns up without it."""
        rest = url.partition("://")[2]
        user_info, at, _ = rest.rpartition("@")
        password = user_info.partition(":")[2]
        if at and password:
            self.add(password)
            self.add(unquote(password))

    def hide(self, text: str) -> str:
        """The text without them. Longest first, so that no piece of one is left by another."""
        for spelling in sorted(self._spellings, key=len, reverse=True):
            text = text.replace(spelling, HIDDEN)
        return text


def redact(text: str, secrets: Secrets | None = None) -> str:
    """The text without credentials. Redacting twice changes nothing more."""
    if secrets is not None:
        text = secrets.hide(text)
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _AUTHORIZATION.sub(rf"\1{HIDDEN}", text)
    text = _SCHEME.sub(rf"\1{HIDDEN}", text)
    return _PAIR.sub(rf"\1{HIDDEN}", text)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is hidden whatever it holds."""
    return _FIELD.fullmatch(name) is not None
