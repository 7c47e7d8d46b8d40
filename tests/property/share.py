"""
How many statements run on unpinned sessions, and where: asked of the admin socket while the pairs work.

Several times a second SHOW SESSIONS tells which pairs are pinned (known by their ports); the statements that a pair did
since the last look count as it is found then. The reasons of all verdicts are those of SHOW ROUTES, neighbours included.
"""

import model


class Share:
    def __init__(self, rolecall, pairs, shared):
        self.rolecall, self.pairs, self.shared = rolecall, pairs, shared
        self.seen = list(shared.steps)
        self.unpinned, self.all = {}, {}  # by kind of pair
        self.pins = {}
        self.before = self._routes()

    def _routes(self):
        return {row["reason"]: row["count"] for row in self.rolecall.admin_table("show routes")}

    def look(self):
        pins = {row["port"]: row["pins"] for row in self.rolecall.admin_table("show sessions")}
        for pair in self.pairs:
            now, port = self.shared.steps[pair], self.shared.ports[pair]
            did, self.seen[pair] = now - self.seen[pair], now
            if port not in pins:
                continue
            kind = model.Profile(pair).kind
            kind = kind if kind in ("special", "sequences") else "ordinary"
            self.all[kind] = self.all.get(kind, 0) + did
            if not pins[port]:
                self.unpinned[kind] = self.unpinned.get(kind, 0) + did
            elif kind == "ordinary":
                self.pins[pins[port]] = self.pins.get(pins[port], 0) + did

    def percent(self, kind="ordinary"):
        return 100 * self.unpinned.get(kind, 0) / self.all[kind] if self.all.get(kind) else None

    def report(self):
        lines = []
        for kind in self.all:
            if self.all[kind]:
                lines.append(f"{self.percent(kind):5.1f} % of the statements of {kind} pairs ran on unpinned sessions")
        if self.pins:
            total = self.all["ordinary"]
            most = sorted(self.pins.items(), key=lambda item: -item[1])[:8]
            lines.append("        pinned by: " + ", ".join(f"{pin} {100 * n / total:.1f} %" for pin, n in most))
        after = self._routes()
        counts = {reason: n - self.before.get(reason, 0) for reason, n in after.items()}
        total = sum(counts.values()) or 1
        most = sorted(((n, reason) for reason, n in counts.items() if n), reverse=True)
        lines.append("verdicts, neighbours included: " + ", ".join(f"{reason} {100 * n / total:.1f} %" for n, reason in most[:14]))
        return "\n".join(lines)
