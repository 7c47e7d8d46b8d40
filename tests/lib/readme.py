"""The SQL that README.md prints, for tests that do what it says word for word."""

import os
import re

PATH = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "README.md")
PASSWORD = "..."  # as it stands there


def sql(part):
    """The statements of the one block that holds this text."""
    with open(PATH) as file:
        blocks = re.findall(r"^```sql\n(.*?)^```", file.read(), re.DOTALL | re.MULTILINE)
    found = [block for block in blocks if part in block]
    assert len(found) == 1, f"{len(found)} blocks of SQL with {part}"
    return [statement for statement in map(str.strip, found[0].split(";\n")) if statement]
