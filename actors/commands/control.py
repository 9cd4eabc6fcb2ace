"""`crowdstream control`: ask a running engine for something, and say what it answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import typer
import yaml

from ...stream.control.client import TIMEOUT_S, ControlClient, require
from ...stream.control.records import READ_VERBS, Verb
from ...stream.control.validate import VERB_ARGS, ArgKind, check_args, check_verb, usage
from ...stream.errors import ControlError
from ...stream.wire.client import DEFAULT_URL
from .console_output import emit_json
from .server_options import (
    CaOption,
    FingerprintOption,
    InsecureOption,
    TokenFileOption,
    check_private,
    token_of,
    trust_of,
)

LIST = "list"
"""Not a verb of the engine: what can be asked, without asking anybody."""
TOKEN_VARIABLES = ["CROWDSTREAM_CONTROL_TOKEN", "CROWDSTREAM_TOKEN"]
"""The first that is set; for status the reading token is enough."""
SHOWN_DEPTH = 3
"""Maps within maps that are printed line by line."""


def control(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[URL] VERB [KEY=VALUE]...", help="`crowdstream control list` shows all verbs"
        ),
    ],
    token_file: TokenFileOption = None,
    token: Annotated[
        str, typer.Option("--token", hidden=True, envvar=TOKEN_VARIABLES, show_envvar=False)
    ] = "",
    ca: CaOption = None,
    fingerprint: FingerprintOption = "",
    insecure: InsecureOption = False,
    allow_plain: Annotated[
        bool, typer.Option("--allow-plain", help="Send the token to another machine without TLS")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer")] = TIMEOUT_S,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as one JSON object")] = False,
) -> None:
    """Ask a running engine: status, pause_camera camera=gate, set_option key=... value=..., stop.

    The control token comes from --token-file, or from the variable CROWDSTREAM_CONTROL_TOKEN. Over a unix socket
    the user who runs the engine needs none.
    """
    url, verb, given = _split(words)
    if verb == LIST:
        _list(as_json)
        return
    try:
        known = check_verb(verb)
        args = check_args(known, _arguments(known, given))
    except ControlError as exc:
        raise typer.BadParameter(str(exc), param_hint="VERB") from exc
    shown = token_of(token, token_file)
    check_private(url, shown, allow_plain)
    client = ControlClient(url, shown, trust_of(ca, fingerprint, insecure), timeout)
    reply = client.request(known, **args)
    if as_json:
        emit_json({"ok": reply.ok, "text": reply.text, "result": dict(reply.result)})
        if not reply.ok:
            raise typer.Exit(1)
        return
    require(reply)
    print(reply.text or "done")
    for line in _lines(reply.result):
        print(line)


def _split(words: list[str]) -> tuple[str, str, list[str]]:
    """URL, verb and the rest; the first word is an address where it looks like one."""
    url = DEFAULT_URL
    rest = list(words)
    if "://" in rest[0] and "=" not in rest[0]:
        url = rest.pop(0)
    if not rest:
        raise typer.BadParameter(
            "nothing asked; `crowdstream control list` shows what can be", param_hint="VERB"
        )
    return url, rest[0], rest[1:]


def _arguments(verb: Verb, given: Iterable[str]) -> dict[str, object]:
    """`key=value` words; only what the verb takes as a plain value is read as number, truth or list."""
    args: dict[str, object] = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not equals:
            raise ControlError(f"{word!r:.40}: expected KEY=VALUE; {usage(verb)}")
        if key in args:
            raise ControlError(f"{key} is given twice")
        kind = VERB_ARGS[verb][key].kind if key in VERB_ARGS[verb] else ArgKind.TEXT
        args[key] = _value(value) if kind is ArgKind.VALUE else value
    return args


def _value(text: str) -> object:
    """As in a configuration file: 3, 0.5, true, [1, 2], text."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _list(as_json: bool) -> None:
    if as_json:
        emit_json(
            {verb.value: {name: arg.required for name, arg in VERB_ARGS[verb].items()} for verb in Verb}
        )
        return
    for verb in Verb:
        print(usage(verb) + ("   (reading is enough)" if verb in READ_VERBS else ""))


def _lines(result: Mapping[str, object], indent: int = 0) -> Iterable[str]:
    """A line per value; maps and lists of maps indented."""
    pad = "  " * indent
    for key, value in result.items():
        if isinstance(value, Mapping) and value and indent < SHOWN_DEPTH:
            yield f"{pad}{key}:"
            yield from _lines(value, indent + 1)
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            for row in value:
                name = row.get("name", "") if isinstance(row, Mapping) else ""
                yield f"{pad}{key}: {name}"
                yield from _lines({k: v for k, v in row.items() if k != "name"}, indent + 1)
        else:
            yield f"{pad}{key}: {value}"
