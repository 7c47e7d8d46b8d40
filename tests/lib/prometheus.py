"""Prometheus' text format 0.0.4, read as strictly as promtool reads it: what it would complain about is an AssertionError."""

import math
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|Inf)|NaN")
UNITS = ("milliseconds", "microseconds", "minutes", "hours", "kilobytes", "megabytes", "percent")


class Family:
    def __init__(self, name):
        self.name = name
        self.kind = None
        self.help = None
        self.samples = []  # (name, labels, value)

    def value(self, **labels):
        """Of the only sample with exactly these labels."""
        found = [value for _, has, value in self.samples if has == labels]
        assert len(found) == 1, (self.name, labels, self.samples[:20])
        return found[0]


def _labels(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"bad labels: {text}"
        assert match[1] not in labels, f"a label twice: {text}"
        labels[match[1]] = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), match[2])
        at = match.end()
        if at < len(text):
            assert text[at] == ",", f"bad labels: {text}"
            at += 1
    return labels


def _sample(line):
    name = NAME.match(line)
    assert name, line
    rest = line[name.end():]
    labels = {}
    if rest.startswith("{"):
        end = re.match(r'\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}', rest)
        assert end, line
        labels = _labels(end[1])
        rest = rest[end.end():]
    assert rest.startswith(" ") and NUMBER.fullmatch(rest[1:]), line
    return name[0], labels, float(rest[1:])


def _family_of(families, name):
    for suffix in ("", "_bucket", "_sum", "_count"):
        base = name[: -len(suffix)] if suffix and name.endswith(suffix) else name
        family = families.get(base)
        if family and (base == name) == (family.kind != "histogram"):
            return family
    raise AssertionError(f"{name} has no TYPE")


def _check_histogram(family):
    series = {}
    for name, labels, value in family.samples:
        others = tuple(sorted((key, text) for key, text in labels.items() if key != "le"))
        one = series.setdefault(others, {"buckets": [], "sum": None, "count": None})
        part = name[len(family.name) + 1:]
        if part == "bucket":
            one["buckets"].append((float(labels["le"]), value))
        else:
            assert one[part] is None and "le" not in labels, (name, labels)
            one[part] = value
    for labels, one in series.items():
        bounds = [bound for bound, _ in one["buckets"]]
        counts = [count for _, count in one["buckets"]]
        assert bounds == sorted(set(bounds)) and bounds[-1] == math.inf, (family.name, labels, bounds)
        assert counts == sorted(counts), (family.name, labels, counts)
        assert one["count"] == counts[-1] and one["sum"] is not None, (family.name, labels)
        assert one["sum"] >= 0 and (one["count"] > 0 or one["sum"] == 0), (family.name, labels)


def parse(text):
    """{name: Family}"""
    assert text.endswith("\n") and "\r" not in text
    families, current, closed = {}, None, set()
    for line in text[:-1].split("\n"):
        if line.startswith("#"):
            match = re.fullmatch(r"# (HELP|TYPE) (\S+) (.+)", line)
            assert match, line
            word, name, rest = match.groups()
            assert NAME.fullmatch(name), line
            if current is None or current.name != name:
                assert name not in families, f"{name} comes in two groups"
                current = families[name] = Family(name)
            if word == "HELP":
                assert current.help is None and current.kind is None, line
                current.help = rest
            else:
                assert current.kind is None and not current.samples, line
                assert rest in ("counter", "gauge", "histogram", "summary", "untyped"), line
                current.kind = rest
            continue
        name, labels, value = _sample(line)
        family = _family_of(families, name)
        assert family is current, f"{name} is away from its group"
        family.samples.append((name, labels, value))
        key = (name, tuple(sorted(labels.items())))
        assert key not in closed, f"twice: {line}"
        closed.add(key)
        if family.kind in ("counter", "histogram"):
            assert value >= 0, line
    for family in families.values():
        assert family.kind and family.help, family.name
        assert not any(unit in family.name for unit in UNITS), f"{family.name}: not a base unit"
        if family.kind == "histogram":
            _check_histogram(family)
    return families
