"""`crowdstream replay`: a recorded log published again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ...stream.wire.client import DEFAULT_URL
from ...stream.wire.replay import Replay
from ...stream.wire.server import Address, ServerSettings


def replay(
    log: Annotated[Path, typer.Argument(help="Written by `crowdstream run --record`")],
    listen: Annotated[
        str, typer.Option(help="tcp://HOST:PORT or unix:///PATH; port 0 takes a free one")
    ] = DEFAULT_URL,
    speed: Annotated[str, typer.Option(help="Times real time, or `max`")] = "1.0",
    token: Annotated[str, typer.Option(help="Subscribers must show it", envvar="CROWDSTREAM_TOKEN")] = "",
    wait: Annotated[bool, typer.Option(help="Begin once somebody listens")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON at the end")] = False,
    allow_plain: Annotated[
        bool, typer.Option("--allow-plain", help="Serve other machines without TLS")
    ] = False,
) -> None:
    """Publish a recorded log again: the same bytes, session and numbers."""
    times = _speed(speed)
    console = Console(stderr=True)
    player = Replay(log, ServerSettings(Address.parse(listen), token, allow_plain=allow_plain))
    address = player.start()
    drain_s = 0.0
    try:
        console.print(
            f"replaying {log} at {address}" + ("; waiting for a subscriber" if wait else ""), highlight=False
        )
        if wait:
            player.wait_for_subscriber()
        done = player.run(times)
        drain_s = 30.0
    except KeyboardInterrupt:
        return
    finally:
        player.stop(drain_s)
    if as_json:
        print(
            json.dumps(
                {"messages": done.messages, "elapsed_s": done.elapsed_s, "recorded_s": done.recorded_s}
            )
        )
    else:
        damage = f"; {done.health}" if done.health else ""
        print(f"{done.messages} messages of {done.recorded_s:.1f} s in {done.elapsed_s:.1f} s{damage}")


def _speed(text: str) -> float:
    """0 stands for as fast as possible."""
    if text == "max":
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise typer.BadParameter(
            f"{text!r} is no speed; expected a number above 0, or max", param_hint="--speed"
        )
    return value
