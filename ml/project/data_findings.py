"""What was found when the files were first read, kept for the end of a training."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ml.core.messages import Message, from_json, to_json
from ml.core.scan_report import ScanReport
from ml.core.untrusted import parse_json
from ml.project.scan.looks import is_blank, look_findings
from ml.project.scan.remarks import remarks_found

KEY = "data_findings"
"""The key of the table `meta`."""
_MOST = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFindings:
    """The warnings about the contents of the files, and the share of files that are blank or silent."""

    sentences: tuple[Message, ...] = ()
    blank: float = 0.0


def data_findings_text(report: ScanReport) -> str:
    """Return how the findings of a report are stored."""
    found = [finding for finding in (*look_findings(report), *remarks_found(report)) if finding.severity != "info"]
    blank = sum(map(is_blank, report.files)) / max(1, len(report.files))
    return json.dumps({"blank": blank, "sentences": [to_json(finding.sentence) for finding in found[:_MOST]]})


def data_findings_in(stored: str) -> DataFindings:
    """The inverse of `data_findings_text`; nothing where the text is damaged."""
    try:
        entry = parse_json(stored)
        if not isinstance(entry, dict) or not isinstance(entry.get("sentences"), list):
            return DataFindings()
        sentences = tuple(from_json(each) for each in entry["sentences"][:_MOST])
        return DataFindings(sentences=sentences, blank=float(entry.get("blank", 0.0)))
    except (ValueError, TypeError):
        return DataFindings()
