"""What the next meeting of a series costs: of one that is ten years old, against one that begins now."""

from __future__ import annotations

import gc
import time
from datetime import UTC, datetime, timedelta

from benchmarks.run import Run
from benchmarks.tables import Table, aimed, median, percentile
from peerbot.recurrence import Rule, occurrences

RULES = {
    "every day": Rule("daily"),
    "every week": Rule("weekly", weekdays=(1,)),
    "three days a week": Rule("weekly", weekdays=(0, 2, 4)),
    "every two weeks": Rule("weekly", 2, (3,)),
    "first Tuesday": Rule("monthly", nth=1, weekday=1),
    "last Friday": Rule("monthly", nth=-1, weekday=4),
}
ZONE = "America/New_York"
NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
AGE = timedelta(days=3_653)
AIM = 150e-6
RATIO_AIM = 1.5


async def measure(run: Run) -> list[Table]:
    """Ask for the next meeting at many instants, of a series that begins then, and of one that is ten years old."""
    columns = ("Rule", "new, p50", "ten years old, p50", "p99", "aim", "kept", "against new", "aim", "kept")
    table = Table("The next meeting of a series", columns)
    for name, rule in RULES.items():
        times = run.size(5_000, 200)
        new, old = _ask(rule, times, timedelta()), _ask(rule, times, AGE)
        middle, ratio = median(old), median(old) / median(new)
        cells = (_us(median(new)), _us(middle), _us(percentile(old, 99)), _us(AIM), aimed(middle, AIM))
        table.add(name, *cells, f"x {ratio:.2f}", f"x {RATIO_AIM}", aimed(ratio, RATIO_AIM))
    table.notes.append(
        "Both are asked at the same instants, seven hours apart. A new series begins on the day it is asked for."
    )
    return [table]


def _ask(rule: Rule, times: int, age: timedelta) -> list[float]:
    """Return what each question took, in seconds."""
    took: list[float] = []
    gc.disable()
    try:
        for number in range(times):
            after = NOW + timedelta(hours=7 * number)
            first = datetime.combine(after - age, datetime.min.time().replace(hour=18, minute=30))
            begun = time.perf_counter()
            found = occurrences(rule, first, ZONE, after=after, limit=1)
            took.append(time.perf_counter() - begun)
            assert found
    finally:
        gc.enable()
    return took


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us"
