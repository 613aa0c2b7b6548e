"""Which background job the strip at the bottom of the window shows. No widgets here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class PageJob:
    """The job of a page: `fraction` done, or None where it has ended and nobody has looked at the page since."""

    page_id: str
    words: str
    fraction: float | None


class PageJobs:
    """The jobs of all pages, as their `job_progress` reports them. Where several run, `page_ids` is their order.

    `LABELS` among them is no page: its job is shown beside every page.
    """

    def __init__(self, page_ids: Sequence[str]) -> None:
        self._page_ids = tuple(page_ids)
        self._jobs: dict[str, PageJob] = {}

    def update(self, page_id: str, words: str, fraction: float) -> None:
        """Take what a page reports. A negative fraction ends its job; without words there is nothing to show of it."""
        if fraction >= 0 or words:
            self._jobs[page_id] = PageJob(page_id=page_id, words=words, fraction=fraction if fraction >= 0 else None)
        else:
            self._jobs.pop(page_id, None)

    def mark_seen(self, page_id: str) -> None:
        """Forget how the job of this page ended: the person is looking at the page."""
        job = self._jobs.get(page_id)
        if job is not None and job.fraction is None:
            del self._jobs[page_id]

    def elsewhere(self, current_page: str) -> PageJob | None:
        """Return the job to show beside `current_page`: a running one before one that has ended."""
        others = [self._jobs[each] for each in self._page_ids if each in self._jobs and each != current_page]
        return next((job for job in others if job.fraction is not None), others[0] if others else None)
