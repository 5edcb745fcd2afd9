"""Write a plan into the id of a button or form, so that it waits there until somebody confirms it.

Nothing of a plan is stored before that. An id holds a hundred characters: numbers are written to base 36, moments as
minutes, rules by letters. What is read back is only a claim, which the rule looks at again. Topic and link do not fit;
the card itself holds them (_plan_cards.carried).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from peerbot.recurrence import Rule
from peerbot.timetables import LENGTHS, Plan

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - wall time has no zone
MOST_ID = 2**63 - 1
"""What both databases can count to."""

STATE = r"[0-9a-z]{1,13}\.[0-9a-z]{1,6}\.[0-9a-z_-]{1,22}\.[0-9a-z]{1,3}\.[0-9a-z]{1,13}\.[0-9a-z]{1,13}"
LOCAL_STATE = r"[0-9a-z]{1,6}"
_RULE = re.compile(r"(?P<freq>[odwm])(?P<every>\d{0,2})(?:-(?P<days>[0-6]{1,7}))?(?:_(?P<until>[0-9a-z]{1,5}))?")
_LAST = 5
"""Stands for the last weekday of a month, as -1 does in a rule."""
_FREQS = {"o": "once", "d": "daily", "w": "weekly", "m": "monthly"}


class CodeRefused(ValueError):
    """The id was not written here."""


@dataclass(frozen=True)
class Draft:
    """A plan on its way: as far as it is known, without topic and link; 0 and None stand for what is not."""

    group_id: int
    first: datetime | None = None
    rule: Rule | None = None
    minutes: int = 60
    channel_id: int = 0
    instead_of: int = 0
    """The series that it is to replace."""

    def code(self) -> str:
        """Return it in at most 67 characters."""
        first = 0 if self.first is None else _minutes(self.first)
        numbers = (self.minutes, self.channel_id, self.instead_of)
        rule = "0" if self.rule is None else rule_code(self.rule)
        return ".".join([_short(self.group_id), _short(first), rule, *map(_short, numbers)])

    @classmethod
    def parse(cls, code: str) -> Draft:
        """Return what a code says; raise CodeRefused for one that is none."""
        if not re.fullmatch(STATE, code):
            raise CodeRefused
        group_id, first, rule, minutes, channel_id, instead_of = code.split(".")
        length = int(minutes, 36)
        if not LENGTHS[0] <= length <= LENGTHS[1]:
            raise CodeRefused
        return cls(
            _id(group_id),
            None if first == "0" else parse_local(first),
            None if rule == "0" else parse_rule(rule),
            length,
            _id(channel_id),
            _id(instead_of),
        )

    @classmethod
    def of(cls, plan: Plan, instead_of: int = 0) -> Draft:
        """Return a plan without its words."""
        return cls(plan.group_id, plan.first, plan.rule, plan.minutes, plan.channel_id or 0, instead_of)

    def plan(self, topic: str, link: str) -> Plan:
        """Return the whole plan; raise CodeRefused where day or rule are not known yet, NotValid for wrong words."""
        if self.first is None or self.rule is None:
            raise CodeRefused
        return Plan.checked(
            group_id=self.group_id, first=self.first, rule=self.rule, minutes=str(self.minutes),
            channel_id=self.channel_id or None, topic=topic, link=link,
        )  # fmt: skip


def rule_code(rule: Rule) -> str:
    """Return a rule in at most 15 characters: "w-1" is every Tuesday, "m2-51" every other last Tuesday of a month."""
    code = rule.freq[0] + (str(rule.interval) if rule.interval > 1 else "")
    if rule.weekdays:
        code += "-" + "".join(map(str, rule.weekdays))
    if rule.weekday is not None and rule.nth is not None:
        code += f"-{_LAST if rule.nth == -1 else rule.nth}{rule.weekday}"
    return code + (f"_{_short(rule.until.toordinal())}" if rule.until is not None else "")


def parse_rule(code: str) -> Rule:
    """Return the rule of a code; raise CodeRefused."""
    found = _RULE.fullmatch(code)
    if found is None:
        raise CodeRefused
    freq, days = _FREQS[found["freq"]], found["days"] or ""
    nth = weekday = None
    if freq == "monthly":
        if not re.fullmatch(r"[1-5][0-6]", days):
            raise CodeRefused
        nth, weekday = (-1 if int(days[0]) == _LAST else int(days[0])), int(days[1])
    try:
        weekdays = tuple(map(int, days)) if freq != "monthly" else ()
        until = date.fromordinal(int(found["until"], 36)) if found["until"] else None
        return Rule(freq, int(found["every"] or 1), weekdays, nth, weekday, until)
    except (ValueError, OverflowError) as error:
        raise CodeRefused from error


def local_code(local: datetime) -> str:
    """Return a wall time in at most six characters."""
    return _short(_minutes(local))


def parse_local(code: str) -> datetime:
    """Return the wall time of a code; raise CodeRefused."""
    if not re.fullmatch(LOCAL_STATE, code):
        raise CodeRefused
    return EPOCH + timedelta(minutes=int(code, 36))


def _minutes(local: datetime) -> int:
    return (local.replace(fold=0) - EPOCH) // timedelta(minutes=1)


def _id(code: str) -> int:
    number = int(code, 36)
    if number > MOST_ID:
        raise CodeRefused
    return number


def _short(number: int) -> str:
    if number < 0:
        raise CodeRefused
    digits = ""
    while number:
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits or "0"
