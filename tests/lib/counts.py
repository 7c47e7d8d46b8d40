"""Prints "PASSED FAILED SKIPPED" of a JUnit file, and the reasons of what was skipped on stderr: counts.py FILE"""

import sys
import xml.etree.ElementTree as tree

passed = failed = skipped = 0
for case in tree.parse(sys.argv[1]).iter("testcase"):
    skip = case.find("skipped")
    if case.find("failure") is not None or case.find("error") is not None:
        failed += 1
    elif skip is not None or case.get("status") in ("disabled", "notrun"):
        skipped += 1
        reason = skip.get("message", "") if skip is not None else case.get("status")
        print(f"{case.get('classname', '')} {case.get('name')}: {reason}", file=sys.stderr)
    else:
        passed += 1
print(passed, failed, skipped)
