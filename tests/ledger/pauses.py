"""
How long writes stood still: from the meters' histories, and from what the proxies logged.

    pauses.add(fault, began, ended, promotion)      while the campaign runs
    pauses.measure(sessions); print(pauses)         afterwards

lost      from the fault to `no_primary` in a proxy's log
found     from "the new primary takes writes" to the first answer of a write through the proxy
longest   the longest time in which no write was answered
"""

import collections
import datetime
import re
import statistics
import time

NO_PRIMARY = re.compile(r"^ts=(\S+) .*event=no_primary .*$", re.M)


def monotonic_of(text):
    """A moment of the log on this run's clock."""
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    return at - time.time() + time.monotonic()


class Pauses:
    def __init__(self, rolecalls):
        self.rolecalls = rolecalls
        self.faults = []
        self.lost, self.found, self.longest = (collections.defaultdict(list) for _ in range(3))

    def add(self, name, began, ended, promotion):
        self.faults.append((name, began, ended, promotion))

    def measure(self, sessions):
        for meter in (session for session in sessions if session.kind == "meter"):
            answers = [step.ended for op in meter.ops for step in op.steps if op.kind == "meter" and step.outcome == "got"]
            log = self.rolecalls[meter.proxy].log()
            losses = [monotonic_of(match.group(1)) for match in NO_PRIMARY.finditer(log)]
            for fault in self.faults:
                self._measure(answers, losses, *fault)

    def _measure(self, answers, losses, name, began, ended, promotion):
        since = promotion.began if promotion else began
        around = [at for at in answers if since - 0.1 < at < ended] + [at for at in answers if at >= ended][:1]
        if len(around) > 1:
            self.longest[name].append(max(b - a for a, b in zip(around, around[1:])))
        lost = [at - since for at in losses if since - 0.002 <= at < ended]
        if lost:
            self.lost[name].append(max(0.0, lost[0]))
        after = [at - promotion.at for at in answers if at >= promotion.at] if promotion else []
        if after:
            self.found[name].append(after[0])

    def __str__(self):
        def show(values):
            return f"{statistics.median(values):7.3f} {max(values):7.3f}" if values else f"{'':15}"

        lines = [f"    {'seconds, median and worst':26}{'lost':>15}  {'found':>15}  {'longest':>15}"]
        found = [value for values in self.found.values() for value in values]
        if found:
            lines.append(f"    {'every promotion':26}{show([])}  {show(found)}")
        for name in sorted(self.longest):
            lines.append(f"    {name:26}{show(self.lost[name])}  {show(self.found[name])}  {show(self.longest[name])}")
        return "\n".join(lines)
