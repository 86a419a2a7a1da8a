"""Text forms against Python's own ISO 8601 and decimals, and the limits of a row's values."""

import datetime
import decimal
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flancompile.sources.scalars import (
    Unreadable,
    date_text,
    duration_text,
    is_readable,
    plain,
    time_text,
    timestamp_text,
    utf8_text,
)

EPOCH = datetime.date(1970, 1, 1)


@settings(deadline=None)
@given(st.dates())
def test_dates_are_iso(day: datetime.date) -> None:
    assert date_text((day - EPOCH).days) == day.isoformat()


@settings(deadline=None)
@given(st.times())
def test_times_are_iso(time: datetime.time) -> None:
    count = ((time.hour * 60 + time.minute) * 60 + time.second) * 1_000_000 + time.microsecond
    assert time_text(count, 1_000_000) == time.isoformat()


@settings(deadline=None)
@given(st.datetimes())
def test_timestamps_are_iso(moment: datetime.datetime) -> None:
    count = (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)
    assert timestamp_text(count, 1_000_000, None) == moment.isoformat()
    assert timestamp_text(count * 1000, 1_000_000_000, None) == moment.isoformat()


@settings(deadline=None)
@given(st.timedeltas())
def test_durations_are_seconds(length: datetime.timedelta) -> None:
    text = duration_text(length // datetime.timedelta(microseconds=1), 1_000_000)
    assert decimal.Decimal(text) * 1_000_000 == length // datetime.timedelta(microseconds=1)
    assert not ("." in text and text.endswith("0"))
    assert plain(length) == text


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "1970-01-01T00:00:00+00:00"),
        ("+05:30", "1970-01-01T05:30:00+05:30"),
        ("-0800", "1969-12-31T16:00:00-08:00"),
        ("Asia/Tokyo", "1970-01-01T09:00:00+09:00"),
    ],
)
def test_a_zone_gives_its_local_time(zone: str, text: str) -> None:
    assert timestamp_text(0, 1, zone) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (date_text(3_000_000), "a date outside of the years 1 to 9999"),
        (time_text(86_400, 1), "a time outside of a day"),
        (timestamp_text(10**12, 1, None), "a timestamp outside of the years 1 to 9999"),
        (timestamp_text(0, 1, "Mars/Base"), "a timestamp in an unknown time zone, 'Mars/Base'"),
        (timestamp_text(0, 1, "+ab"), "a timestamp in an unknown time zone, '+ab'"),
        (utf8_text(b"\xff"), "bytes that are not UTF-8"),
    ],
)
def test_values_that_no_row_can_hold(value: object, reason: str) -> None:
    assert isinstance(value, Unreadable) and not is_readable(value)
    assert value.reason == reason


def test_plain_converts_at_any_depth() -> None:
    id_ = uuid.UUID(int=7)
    value = {"a": (decimal.Decimal("1.250"), [b"x"]), "b": {"id": id_}, "c": [None, True, 2.5]}
    assert plain(value) == {"a": ["1.250", ["x"]], "b": {"id": str(id_)}, "c": [None, True, 2.5]}
