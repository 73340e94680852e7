#!/usr/bin/env python3
"""README.md and README.zh.md tell the same: as many headings of each depth, and the same commands."""
import itertools
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def shape(name):
    text = (ROOT / name).read_text()
    blocks = re.findall(r"^```.*?^```", text, re.M | re.S)
    commands = [line for block in blocks for line in block.splitlines() if not line.lstrip().startswith(("#", "//"))]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return {"headings": re.findall(r"^#+", prose, re.M), "commands": [line.split("  #")[0] for line in commands],
            "links": re.findall(r"\]\(([^)]*)\)", prose)}


def main():
    one, other = shape("README.md"), shape("README.zh.md")
    # Each links to the other.
    one["links"], other["links"] = (sorted(set(shape["links"]) - {"README.md", "README.zh.md"}) for shape in (one, other))
    found = []
    for part in one:
        for number, (here, there) in enumerate(itertools.zip_longest(one[part], other[part]), 1):
            if here != there:
                found.append(f"{part} {number}: README.md has `{here}`, README.zh.md `{there}`")
                break
    for link in one["links"]:
        if not link.startswith("http") and not (ROOT / link.split("#")[0]).exists():
            found.append(f"README.md links to {link}, which is not there")
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()
