#!/usr/bin/env python3
"""The Postman collection, run by newman against a cluster with a backup master."""

import json
import pathlib
import shutil
import subprocess

import harness
from harness import SOURCE, ClusterTest

COLLECTION = SOURCE / "docs" / "Distributed_DB_Postman_Collection.json"


def newman():
    """newman as ./check installs it below the build folder, or on PATH."""
    for folder in (harness.BUILD, *harness.BUILD.parents):
        candidate = folder / "node_modules" / ".bin" / "newman"
        if candidate.exists():
            return str(candidate)
    return shutil.which("newman")


class Postman(ClusterTest):
    def test_every_request_has_a_test(self):
        def requests(items):
            for item in items:
                if "item" in item:
                    yield from requests(item["item"])
                else:
                    yield item
        found = list(requests(json.loads(COLLECTION.read_text())["item"]))
        self.assertGreater(len(found), 20)
        for item in found:
            scripts = [line for e in item.get("event", []) if e["listen"] == "test" for line in e["script"]["exec"]]
            self.assertTrue(any("pm.test(" in line for line in scripts), item["name"])

    def test_collection(self):
        program = newman()
        self.assertIsNotNone(program, "newman is not installed: ./check installs it")
        self.cluster.start_backup()
        variables = {"master_url": f"http://127.0.0.1:{self.cluster.port}", "backup_url": f"http://127.0.0.1:{self.cluster.backup_port}"}
        for name, port in self.cluster.worker_ports.items():
            variables[f"worker_{name}_url"] = f"http://127.0.0.1:{port}"
        command = [program, "run", str(COLLECTION), "--color", "off", "--reporters", "cli,json", "--reporter-json-export", str(self.cluster.folder / "newman.json")]
        for name, value in variables.items():
            command += ["--env-var", f"{name}={value}"]
        r = subprocess.run(command, capture_output=True, text=True, timeout=300)
        self.assertEqual(r.returncode, 0, r.stdout[-4000:] + r.stderr[-2000:])
        stats = json.loads(pathlib.Path(self.cluster.folder / "newman.json").read_text())["run"]["stats"]
        self.assertGreater(stats["assertions"]["total"], 50)
        self.assertEqual(stats["assertions"]["failed"], 0)


if __name__ == "__main__":
    harness.main()
