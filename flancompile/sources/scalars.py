"""Text forms of values that JSON has no type for, and a mark for values that no row can hold.

| value | text |
|---|---|
| decimal | its digits with its scale: `1.250` |
| date, timestamp, time | ISO 8601: `2001-02-03`, `2001-02-03T04:05:06.789000+01:00`, `04:05:06` |
| duration | seconds: `93784.5` |
| interval | ISO 8601: `P1M2DT0.5S` |
| bytes | decoded as UTF-8 |
| UUID | `12345678-1234-5678-1234-567812345678` |

A fraction of a second has six digits, nine if nanoseconds need them, and none if it is zero. A
32-bit float becomes the number of its shortest form: 0.1, not 0.10000000149011612.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

__all__ = [
    "Unreadable", "date_text", "duration_text", "is_readable", "plain", "time_text",
    "timestamp_text", "utf8_text",
]  # fmt: skip

DAY = 86_400
_EPOCH = datetime.datetime(1970, 1, 1)
_FIRST, _LAST = (datetime.date(y, *d).toordinal() for y, d in ((1, (1, 1)), (9999, (12, 31))))
_EPOCH_DAY = _EPOCH.toordinal()


class Unreadable:
    """Placeholder for a value that no row can hold, until an expression reads its column.

    value: any form of it, so that rows with different values have different digests.
    """

    __slots__ = ("reason", "value")

    def __init__(self, reason: str, value: object) -> None:
        self.reason, self.value = reason, value

    def __repr__(self) -> str:
        return f"Unreadable({self.value!r})"


def is_readable(value: object) -> bool:
    """Whether a value is not `Unreadable`."""
    return type(value) is not Unreadable


def date_text(days: int) -> str | Unreadable:
    """ISO 8601 of days since 1970-01-01."""
    ordinal = _EPOCH_DAY + days
    if not _FIRST <= ordinal <= _LAST:
        return Unreadable("a date outside of the years 1 to 9999", days)
    return datetime.date.fromordinal(ordinal).isoformat()


def time_text(count: int, per_second: int) -> str | Unreadable:
    """ISO 8601 of units since midnight."""
    seconds, rest = divmod(count, per_second)
    if not 0 <= seconds < DAY:
        return Unreadable("a time outside of a day", count)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}{_fraction(rest, per_second)}"


def timestamp_text(count: int, per_second: int, zone: str | None) -> str | Unreadable:
    """ISO 8601 of units since 1970-01-01; with a zone: of UTC units, with the zone's offset."""
    seconds, rest = divmod(count, per_second)
    try:
        moment = _EPOCH + datetime.timedelta(seconds=seconds)
        offset = ""
        if zone is not None:
            local = moment.replace(tzinfo=datetime.UTC).astimezone(_zone(zone))
            offset = local.isoformat()[19:]
            moment = local.replace(tzinfo=None)
    except (OverflowError, ValueError):
        return Unreadable("a timestamp outside of the years 1 to 9999", count)
    except (KeyError, OSError):
        return Unreadable(f"a timestamp in an unknown time zone, {zone!r}", count)
    return moment.isoformat() + _fraction(rest, per_second) + offset


def _zone(name: str) -> datetime.tzinfo:
    """A time zone by name or offset. Raises KeyError, as ZoneInfo does."""
    if name in ("UTC", "Z", "+00:00"):
        return datetime.UTC
    if name[:1] in ("+", "-"):
        try:
            hours, _, minutes = name[1:].partition(":")
            size = datetime.timedelta(hours=int(hours[:2]), minutes=int(minutes or hours[2:] or 0))
            return datetime.timezone(-size if name[0] == "-" else size)
        except ValueError:
            raise KeyError(name) from None
    try:
        return ZoneInfo(name)
    except ValueError:
        raise KeyError(name) from None


def duration_text(count: int, per_second: int) -> str:
    """Seconds as a decimal without trailing zeros."""
    seconds, rest = divmod(abs(count), per_second)
    digits = str(rest).zfill(len(str(per_second)) - 1).rstrip("0") if rest else ""
    return f"{'-' * (count < 0)}{seconds}{'.' * bool(digits)}{digits}"


def _fraction(rest: int, per_second: int) -> str:
    nanoseconds = rest * (1_000_000_000 // per_second)
    if not nanoseconds:
        return ""
    digits = f"{nanoseconds:09}"
    return f".{digits[:6] if digits.endswith('000') else digits}"


def utf8_text(data: bytes) -> str | Unreadable:
    """Decode bytes as UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return Unreadable("bytes that are not UTF-8", data)


def plain(value: Any) -> Any:
    """Convert a Python value to the text forms of this module, at any depth."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        microseconds = value // datetime.timedelta(microseconds=1)
        return duration_text(microseconds, 1_000_000)
    if isinstance(value, bytes | bytearray):
        return utf8_text(bytes(value))
    return str(value) if isinstance(value, uuid.UUID) else value
