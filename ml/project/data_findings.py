"""What was found when the files were first read, kept for the end of a training."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ml.core.messages import from_json, to_json
from ml.core.scan_report import ScanReport
from ml.core.untrusted import LONGEST_PATH, list_in, parse_json, table_in, texts_in
from ml.project.scan.finding import Finding
from ml.project.scan.looks import is_blank, look_findings
from ml.project.scan.remarks import remarks_found

KEY = "data_findings"
"""The key of the table `meta`."""
_MOST, _MOST_PATHS = 20, 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFindings:
    """The warnings about the contents of the files, and the share of files that are blank or silent."""

    warnings: tuple[Finding, ...] = ()
    blank: float = 0.0


def data_findings_text(report: ScanReport) -> str:
    """Return how the findings of a report are stored."""
    found = [finding for finding in (*look_findings(report), *remarks_found(report)) if finding.severity != "info"]
    blank = sum(map(is_blank, report.files)) / max(1, len(report.files))
    warnings = [{**to_json(finding.sentence), "paths": finding.paths[:_MOST_PATHS]} for finding in found[:_MOST]]
    return json.dumps({"blank": blank, "warnings": warnings})


def data_findings_in(stored: str) -> DataFindings:
    """The inverse of `data_findings_text`; nothing where the text is damaged."""
    try:
        entry = parse_json(stored)
        if not isinstance(entry, dict):
            return DataFindings()
        warnings = tuple(map(_warning, list_in(entry.get("warnings"), "warnings", most=_MOST)))
        return DataFindings(warnings=warnings, blank=float(entry.get("blank", 0.0)))
    except (ValueError, TypeError):
        return DataFindings()


def _warning(entry: object) -> Finding:
    """Raises ValueError."""
    stored = table_in(entry, "warning")
    paths = texts_in(stored.get("paths"), "paths", most=_MOST_PATHS, longest=LONGEST_PATH)
    return Finding(severity="warn", sentence=from_json(stored), paths=paths)
