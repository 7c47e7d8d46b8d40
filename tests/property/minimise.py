"""
Makes a sequence of steps that ends in a difference shorter, as long as it still ends in one of the same kind.

Steps are left out in blocks of falling size (Zeller's ddmin, without its complements), each time played again in a new
world. What depends on the moment may not come again at every try: a sequence counts as still different if one of a few
tries is.
"""

import time

import pair


class Minimiser:
    def __init__(self, options, endpoints, cluster, difference, budget_s=180):
        self.options, self.endpoints, self.cluster = options, endpoints, cluster
        self.difference = difference
        self.until = time.monotonic() + budget_s
        self.tries = 1

    def again(self, steps, tries=None):
        for _ in range(tries or self.tries):
            found = pair.replay(self.options, steps, self.difference.pair, self.endpoints, self.cluster)
            if found and found.signature == self.difference.signature:
                return found
        return None

    def run(self):
        """The shortest Difference found; None when it did not come again."""
        best = None
        for tries in (1, 2, 4):
            self.tries = tries
            best = self.again(self.difference.steps)
            if best:
                break
        if not best:
            return None
        steps = self._from_last_login(best.steps)
        size = max(1, len(steps) // 2)
        while time.monotonic() < self.until:
            steps, shrunk = self._without_blocks(steps, size)
            if size == 1 and not shrunk:
                break
            size = max(1, size // 2)
        return self.again(steps, 3) or best

    def _from_last_login(self, steps):
        """Most differences need nothing of earlier connections."""
        last = max(i for i, step in enumerate(steps) if step.ops[0][0] == "login")
        tail = steps[last:]
        if last and len(tail) > 1:
            found = self.again(tail)
            if found:
                return found.steps
        return steps

    def _without_blocks(self, steps, size):
        """Leaves out each block of that size that is not needed; the first step (a login) stays."""
        at, shrunk = 1, False
        while at < len(steps) and time.monotonic() < self.until:
            fewer = steps[:at] + steps[at + size :]
            found = self.again(fewer) if len(fewer) > 1 else None
            if found:
                steps, shrunk = found.steps, True
            else:
                at += size
        return steps, shrunk
