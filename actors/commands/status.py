"""`crowdstream status`: how a running engine is; exit code 0 ready, 1 not ready or nobody there, 2 usage."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ...kernels.errors import CrowdstreamError
from ...stream.errors import PublishError
from ...stream.health.records import HealthReport
from ...stream.health.verdict import ready
from ...stream.health.wire import report_from, report_map
from ...stream.wire.address import Address
from ...stream.wire.client import DEFAULT_URL, Reconnect, subscribe_async
from ...stream.wire.conversation import Bye, Event
from ...stream.wire.messages import Message, Tier
from ...stream.wire.tls import Trust
from .console_output import emit_json
from .server_options import CaOption, FingerprintOption, InsecureOption, TokenFileOption, token_of, trust_of

if TYPE_CHECKING:
    from rich.console import RenderableType

TOPICS = (Tier.HEALTH.value, Tier.STATUS.value)
MOST_EVENTS = 5
"""Events shown below the tables."""
REDRAW_S = 1.0
"""Ages go on between two reports."""


class NotReady(CrowdstreamError):
    """The engine answers and does not do its work."""


@dataclass(frozen=True)
class _Server:
    """Whom to ask, and how."""

    url: str
    token: str
    tls: Trust
    wait_s: float

    def events(self, give_up_s: float) -> AsyncIterator[Event]:
        retry = Reconnect(give_up_s=give_up_s, first_visit_s=self.wait_s)
        return subscribe_async(self.url, TOPICS, self.token, reconnect=retry, tls=self.tls)


def status(
    url: Annotated[
        str, typer.Argument(help="tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH")
    ] = DEFAULT_URL,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay, and show it as it changes")] = False,
    token: Annotated[str, typer.Option(help="What the server asks for", envvar="CROWDSTREAM_TOKEN")] = "",
    token_file: TokenFileOption = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for an engine that is not up")] = 0.0,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for its figures")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON object")] = False,
    ca: CaOption = None,
    fingerprint: FingerprintOption = "",
    insecure: InsecureOption = False,
) -> None:
    """Show how a running engine is: cameras, latency, drops, memory. Exit code 1 when it is not ready."""
    if watch and as_json:
        raise typer.BadParameter(
            "--watch draws on a terminal; for a stream of JSON: crowdstream tail --topics health --json"
        )
    server = _Server(url, token_of(token, token_file), trust_of(ca, fingerprint, insecure), wait)
    if watch:
        try:
            asyncio.run(_watch(server))
        except KeyboardInterrupt:
            return
        return
    report, age_s = asyncio.run(_newest(server, timeout))
    is_ready, said = ready(report, age_s)
    if as_json:
        emit_json({**report_map(report), "ready": is_ready, "text": said, "age_s": round(age_s, 3)})
    else:
        _print(report, age_s)
    if not is_ready:
        raise NotReady(said)


async def _newest(server: _Server, timeout_s: float) -> tuple[HealthReport, float]:
    """The report that the server holds, or the next one; with its age."""
    try:
        async with asyncio.timeout(timeout_s + server.wait_s), aclosing(server.events(0.0)) as events:  # type: ignore[type-var]
            async for event in events:
                taken = _report_of(event)
                if taken is not None:
                    return taken, _age_s(server.url, event)
                if isinstance(event, Bye):
                    raise PublishError(f"{server.url.rpartition('@')[2]} said goodbye: {event.reason}")
    except TimeoutError:
        pass
    raise PublishError(
        f"{server.url.rpartition('@')[2]} answers and tells no figures within {timeout_s:g} s: is it a replay, or an "
        "older engine?"
    )


async def _watch(server: _Server) -> None:
    """Redraws until the engine ends or stays away for a minute."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from .status_view import view

    happened: deque[str] = deque(maxlen=MOST_EVENTS)
    shown: tuple[HealthReport, float] | None = None
    started_s = time.monotonic()

    def draw() -> RenderableType:
        if shown is None:
            return Text(f"waiting for {server.url.rpartition('@')[2]} ({time.monotonic() - started_s:.0f} s)")
        return view(shown[0], time.monotonic() - shown[1], tuple(happened))

    async def redraw(live: Live) -> None:
        while True:
            live.update(draw(), refresh=True)
            await asyncio.sleep(REDRAW_S)

    with Live(console=Console(highlight=False), auto_refresh=False, screen=False) as live:
        drawing = asyncio.create_task(redraw(live))
        try:
            async with aclosing(server.events(60.0)) as events:  # type: ignore[type-var]
                async for event in events:
                    report = _report_of(event)
                    if report is not None:
                        shown = (report, time.monotonic() - _age_s(server.url, event))
                        live.update(draw(), refresh=True)
                    elif said := _said(event):
                        happened.append(said)
        finally:
            drawing.cancel()


def _report_of(event: Event) -> HealthReport | None:
    if isinstance(event, Message) and event.topic == Tier.HEALTH:
        return report_from(event.body)
    return None


def _said(event: Event) -> str:
    """An event of `status`, or the end of a connection, in one line."""
    if isinstance(event, Bye):
        return f"goodbye: {event.reason}"
    if isinstance(event, Message) and event.topic == Tier.STATUS:
        clock = time.strftime("%H:%M:%S", time.localtime(event.t_publish_ns / 1e9))
        return f"{clock} {event.body.get('event', '')}: {event.body.get('text', '')}"
    return ""


def _age_s(url: str, event: Event) -> float:
    """Since the report was made. Of another machine, whose clock may differ, since now."""
    if not isinstance(event, Message) or not Address.parse(url).is_local:
        return 0.0
    report = report_from(event.body)
    return max(0.0, time.time() - report.t_ns / 1e9) if report is not None and report.t_ns else 0.0


def _print(report: HealthReport, age_s: float) -> None:
    from rich.console import Console

    from .status_view import view

    Console(highlight=False).print(view(report, age_s))
