#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: sample.py FOLDER

Writes two days of a small shop into FOLDER: shop.log (text lines) and coldroom.csv (a reading every
ten seconds). One night the cold room's compressor trips. Times are local and end now; the rest is the
same in every run.
"""
import datetime
import math
import pathlib
import random
import sys

DAYS = 2
OUTAGE_START, OUTAGE_END = (3, 12), (3, 51)


def outage(now):
    """The last night's outage that is over by now."""
    day = now if now.hour >= 5 else now - datetime.timedelta(days=1)
    at = [day.replace(hour=h, minute=m, second=0, microsecond=0)
          for h, m in (OUTAGE_START, OUTAGE_END)]
    return at[0], at[1]


def temperature(t, start, end, rng):
    hour = t.hour + t.minute / 60
    value = 4.0 + 0.4 * math.sin((hour - 9) / 24 * 2 * math.pi) + rng.gauss(0, 0.06)
    if start <= t:
        warm = min(t, end) - start
        peak = 9.5 * (1 - math.exp(-warm.total_seconds() / 1500))
        cooled = max((t - end).total_seconds(), 0)
        value += peak * math.exp(-cooled / 1200)
    return value


def write_readings(path, now, rng):
    start, end = outage(now)
    t = now - datetime.timedelta(days=DAYS)
    with open(path, "w") as f:
        f.write("time,temperature,compressor_amps,humidity\n")
        while t <= now:
            running = not start <= t < end
            amps = (6.2 if t.minute % 15 < 9 else 0.3) if running else 0.0
            f.write("%s,%.2f,%.2f,%.1f\n" % (t.isoformat(sep=" ", timespec="seconds"),
                                             temperature(t, start, end, rng),
                                             max(amps + rng.gauss(0, 0.05), 0) if amps else 0,
                                             55 + rng.gauss(0, 0.8)))
            t += datetime.timedelta(seconds=10)


def visit(rng):
    return (f"web: GET /product/{rng.randrange(1, 400)} 200 {rng.randrange(8, 60)} ms "
            f"from 192.0.2.{rng.randrange(1, 250)}")


def day_line(rng):
    kind = rng.random()
    order = rng.randrange(10000, 99999)
    if kind < 0.5:
        return visit(rng)
    if kind < 0.75:
        return f"shop: order {order} placed, {rng.randrange(1, 9)} items, {rng.uniform(5, 90):.2f} EUR"
    if kind < 0.95:
        return f"shop: order {order} packed by {rng.choice(['Ana', 'Jo', 'Mika'])}"
    return f"coldroom: door opened, closed after {rng.randrange(5, 40)} s"


def routine(t, rng):
    """A line of an ordinary day and the time until the next one, in seconds."""
    if 6 <= t.hour < 22:
        return day_line(rng), rng.randrange(5, 60)
    if rng.random() < 0.5:
        return "backup: nothing to do", rng.randrange(300, 900)
    return visit(rng), rng.randrange(60, 600)


def incident(start, end):
    minute = datetime.timedelta(minutes=1)
    return [
        (start, "coldroom: compressor 2 tripped: overcurrent 31.4 A, breaker F7 open"),
        (start + 2 * minute, "coldroom: restart of compressor 2 failed (attempt 1 of 3)"),
        (start + 6 * minute, "coldroom: restart of compressor 2 failed (attempt 2 of 3)"),
        (start + 11 * minute, "coldroom: restart of compressor 2 failed (attempt 3 of 3), giving up"),
        (start + 14 * minute, "alarm: cold room above 8 degrees, calling the duty phone"),
        (start + 21 * minute, "alarm: acknowledged by Mika"),
        (end - 4 * minute, "coldroom: breaker F7 closed by hand, fan bearing replaced"),
        (end, "coldroom: compressor 2 running, 6.1 A"),
    ]


def write_log(path, now, rng):
    t = now - datetime.timedelta(days=DAYS)
    lines = incident(*outage(now))
    while t <= now:
        line, pause = routine(t, rng)
        lines.append((t, line))
        t += datetime.timedelta(seconds=pause)
    lines.sort(key=lambda line: line[0])
    with open(path, "w") as f:
        for t, text in lines:
            f.write(f"{t.isoformat(sep=' ', timespec='seconds')} {text}\n")


def main():
    folder = pathlib.Path(sys.argv[1])
    now = datetime.datetime.now().replace(microsecond=0)
    rng = random.Random(1)
    write_readings(folder / "coldroom.csv", now, rng)
    write_log(folder / "shop.log", now, rng)


if __name__ == "__main__":
    main()
