"""Times and durations as they are read and written on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from micro.cli.times import local, read_duration, seconds_between, write_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1.5h", 5400),
        ("2 d ago", 172_800),
        ("3W", 1_814_400),
        ("2m", 120),
        ("2", None),
        ("-2h", None),
        ("2h later", None),
        ("2026-01-31", None),
    ],
)
def test_durations_are_a_number_and_a_unit(text: str, seconds: float | None) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0ms"),
        (0.0042, "4ms"),
        (1.5, "1500ms"),
        (2, "2s"),
        (119, "119s"),
        (120, "2m"),
        (86_400, "24h"),
        (1e6, "12d"),
    ],
)
def test_durations_are_written_in_a_unit_that_fits(seconds: float, text: str) -> None:
    assert write_duration(seconds) == text


def test_seconds_between_two_times_mind_their_zones() -> None:
    assert seconds_between("2026-01-31T12:00:00+00:00", "2026-01-31T14:00:30+02:00") == 30
    before = datetime.now(UTC) - timedelta(minutes=1)
    assert 60 <= seconds_between(before.isoformat()) < 70


def test_times_are_shown_in_the_local_zone() -> None:
    here = datetime(2026, 1, 31, 12, 0, 5).astimezone()
    assert local(here.astimezone(UTC).isoformat()) == "2026-01-31 12:00:05"
