#!/usr/bin/env python3
"""The picture of the architecture stays true: programs include common/ and themselves, each foreign header has one home,
and each header compiles alone."""

import os
import re
import shlex
import subprocess
import unittest

import harness
from harness import SOURCE

PROGRAMS = ("fcgi-master", "fcgi-worker", "tds-server", "lighttpd", "load")
HOMES = {  # foreign header: where it may be included
    "fcgiapp.h": ("common/http_fcgi.c", "common/http_serve.c"),
    "json-c/": ("common/json.c",),
    "json.h": ("common/json.c",),
    "curl/": ("fcgi-master/fanout.c", "load/api.c"),
    "sql.h": ("fcgi-worker/db.c", "fcgi-worker/param.c", "fcgi-worker/prepared.c", "fcgi-worker/result.c"),
    "sqlext.h": ("fcgi-worker/db.c", "fcgi-worker/param.c", "fcgi-worker/prepared.c", "fcgi-worker/result.c"),
    "sqlite3.h": ("tds-server/engine/cell.h",),
    "utf8proc.h": ("common/collate.c", "tds-server/values/unicode.c"),
    "nettle/": ("common/digest.c",),
    "gmp.h": ("tds-server/values/decimal.c",),
    "openssl/": ("tds-server/wire/tls.c", "tds-server/wire/tls_certificate.c"),
}
TDS_SERVER = {  # folder: what it may include of tds-server's other folders
    "": ("wire/", "engine/engine.h"),
    "wire": ("values/", "language/", "engine/engine.h"),
    "language": ("values/",),
    "values": (),
    "functions": ("values/", "language/tsql_tree.h"),
    "engine": ("values/", "language/", "functions/"),
}


def sources():
    for folder in ("common", *PROGRAMS):
        for path in sorted((SOURCE / folder).rglob("*.[ch]")):
            yield path.relative_to(SOURCE).as_posix(), re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', path.read_text(), re.M)


class Layering(unittest.TestCase):
    def test_programs_include_common_and_themselves(self):
        seen = 0
        for path, includes in sources():
            folder = path.split("/")[0]
            for quote, name in includes:
                if quote != '"' or name == "config.h":
                    continue
                seen += 1
                with self.subTest(file=path, include=name):
                    self.assertIn(name.split("/")[0], ("common", folder))
                    self.assertTrue((SOURCE / name).exists())
        self.assertGreater(seen, 50)

    def test_foreign_headers_have_one_home(self):
        for path, includes in sources():
            for quote, name in includes:
                for header, homes in HOMES.items():
                    if quote == "<" and name.startswith(header):
                        with self.subTest(file=path, include=name):
                            self.assertTrue(any(path.startswith(h) for h in homes), f"{name} belongs into {homes}")

    def test_folders_of_tds_server(self):
        for path, includes in sources():
            if not path.startswith("tds-server/"):
                continue
            own = path.split("/")[1] if path.count("/") == 2 else ""
            for quote, name in includes:
                if quote == '"' and name.startswith("tds-server/"):
                    inner = name.removeprefix("tds-server/")
                    with self.subTest(file=path, include=name):
                        self.assertTrue(inner.startswith((*TDS_SERVER[own], own + "/")) if own else inner.startswith(TDS_SERVER[own]) or "/" not in inner)

    def test_strangers(self):
        """router, fanout and merge are strangers that gateway joins."""
        names = ("router", "fanout", "merge")
        for path, includes in sources():
            for own in names:
                if path in (f"fcgi-master/{own}.c", f"fcgi-master/{own}.h"):
                    for other in names:
                        if other != own:
                            self.assertNotIn(f"fcgi-master/{other}.h", [n for _, n in includes], path)

    def test_headers_compile_alone(self):
        compiler = shlex.split(os.environ.get("SHARDGATE_CC", "cc"))
        for path, _ in sources():
            if path.endswith(".h"):
                with self.subTest(header=path):
                    r = subprocess.run([*compiler, "-std=gnu17", "-D_GNU_SOURCE", "-I", str(SOURCE), "-fsyntax-only", "-x", "c", str(SOURCE / path)], capture_output=True, text=True)
                    self.assertEqual(r.returncode, 0, r.stderr)


if __name__ == "__main__":
    harness.main()
