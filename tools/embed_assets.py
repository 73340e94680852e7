#!/usr/bin/env python3
"""Writes a C++ file with the bytes of files: embed_assets.py OUT URL=FILE…  Content types go by the files' endings."""
import hashlib
import pathlib
import sys

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8", ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png"}


def literal(data):
    lines = [data[i:i + 64] for i in range(0, len(data), 64)]
    return "\n".join('    "' + "".join(f"\\x{byte:02x}" for byte in line) + '"' for line in lines) or '    ""'


def main():
    out, *files = sys.argv[1:]
    entries = []
    for file in files:
        url, name = file.split("=", 1)
        path = pathlib.Path(name)
        data = path.read_bytes()
        etag = hashlib.sha256(data).hexdigest()[:16]
        entries.append(f'    {{"{url}", "{TYPES[path.suffix]}", "\\"{etag}\\"", std::string_view(\n{literal(data)},\n'
                       f"     {len(data)})}},")
    table = "\n".join(entries)
    pathlib.Path(out).write_text(f"""#include "server/assets.h"

namespace tutti {{

const Asset* FindAsset(std::string_view path) {{
  static constexpr Asset kAssets[] = {{
{table}
  }};
  for (const Asset& asset : kAssets) {{
    if (asset.path == path) return &asset;
  }}
  return nullptr;
}}

}}  // namespace tutti
""")


if __name__ == "__main__":
    main()
