"""docs/protocol.md is normative: what the code knows stands on the page, with the same numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crowdstream.stream.control.desk import DeskLimits
from crowdstream.stream.control.records import READ_VERBS, Verb
from crowdstream.stream.control.validate import MOST_CHARACTERS, MOST_VALUES, ROLES, VERB_ARGS
from crowdstream.stream.wire.codec import DTYPES, MAX_CONTAINERS, MAX_DEPTH, MAX_ITEMS
from crowdstream.stream.wire.connection import BURST_BYTES, BURST_MESSAGES, FAREWELL_S
from crowdstream.stream.wire.doorkeeper import Cause, DoorLimits
from crowdstream.stream.wire.hub import HubLimits
from crowdstream.stream.wire.messages import MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES, VERSION, Kind, Tier
from crowdstream.stream.wire.publish_config import PublishConfig
from crowdstream.stream.wire.server import Address, ServerSettings

PAGE = (Path(__file__).parent.parent.parent / "docs" / "protocol.md").read_text()
SECTIONS = {title: body for title, body in re.findall(r"^## \d+\. (.+?)$(.*?)(?=^## |\Z)", PAGE, re.M | re.S)}


def words(section: str) -> set[str]:
    """Everything in code letters, taken apart."""
    return {
        word
        for quoted in re.findall(r"`([^`]+)`", SECTIONS[section])
        for word in re.split(r"[^\w.]+", quoted)
    }


def test_the_version_is_the_codes_and_has_golden_bytes() -> None:
    assert PAGE.startswith("# The crowdstream wire protocol, version {}.{}\n".format(*VERSION))
    assert "wire_{}_{}".format(*VERSION) in PAGE


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("Envelope", {kind.value for kind in Kind} - {"other"}),
        ("Arrays", set(DTYPES)),
        ("Requests", {verb.value for verb in Verb} | set().union(*VERB_ARGS.values()) | set(ROLES)),
        ("Security", {cause.value for cause in Cause}),
        ("What may be lost", {tier.value for tier in Tier}),
    ],
)  # fmt: skip
def test_every_name_of_the_code_stands_on_the_page(section: str, names: set[str]) -> None:
    assert names <= words(section)


def test_the_table_of_verbs_says_what_each_needs() -> None:
    rows = [line for line in SECTIONS["Requests"].splitlines() if line.startswith("| `")]
    for verb in Verb:
        (row,) = (line for line in rows if f"`{verb}`" in line.split("|")[1])
        assert row.rstrip(" |").endswith("read" if verb in READ_VERBS else "control"), verb
        for name in VERB_ARGS[verb]:
            assert f"`{name}`" in row


def test_settings_that_the_page_names_exist() -> None:
    named = {
        name.split("publish.", 1)[1] for name in words("Security") | words("Requests") if "publish." in name
    }
    assert named and named <= PublishConfig.model_fields.keys()


def test_the_numbers_are_the_codes() -> None:
    desk, door, hub = DeskLimits(), DoorLimits(), HubLimits()
    settings = ServerSettings(Address.parse("tcp://127.0.0.1:0"))
    said = {
        "Transport and framing": [MAX_MESSAGE_BYTES, MAX_CONTAINERS, MAX_ITEMS, MAX_DEPTH],
        "Requests": [
            desk.outstanding, round(desk.per_s), desk.burst, desk.queue, round(desk.answer_s), MOST_CHARACTERS,
            MOST_VALUES,
        ],
        "Security": [
            settings.max_clients, door.knocking, round(settings.bytes_per_s / 1024), round(settings.messages_per_s),
            BURST_BYTES // 1024, BURST_MESSAGES, door.first_wait_s, round(door.longest_wait_s),
            round(door.forget_s / 60), round(FAREWELL_S),
        ],
        "What may be lost": [hub.live_items, hub.late_items, hub.control_items, hub.ring_items],
        "The conversation": [round(settings.hello_timeout_s), round(settings.ping_interval_s)],
    }  # fmt: skip
    for section, numbers in said.items():
        found = set(re.findall(r"\d[\d,]*(?:\.\d+)?", SECTIONS[section]))
        for number in numbers:
            assert f"{number:,}" in found, (section, number)
    assert f"{MAX_REQUEST_BYTES // 1024} KiB" in PAGE
    assert settings.door.per_address * 4 == settings.max_clients * 3
