"""Compare a project with a colleague's copy of it, and take over the labels that only the copy has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ml.core.errors import HandlensError
from ml.core.messages import Message, msg, nmsg
from ml.core.types import Origin
from ml.project.labels import Given
from ml.project.merge_record import MergeRecord
from ml.project.merge_undo import UndoneMerge, refuse_changed
from ml.project.project import Project
from ml.project.remarks import Remark
from ml.project.states import LabelState, LabelStates, NamedPart, Place
from ml.scoring.tasks import task_named


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenLabel:
    """What the copy says of a sample on which nobody has worked here. No labels and no origin: it was taken back."""

    sample_id: int
    labels: tuple[NamedPart, ...]
    origin: Origin | None
    annotator: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Disagreement:
    """A sample with different labels here and in the copy, both given since the copy was made."""

    sample_id: int
    path: str
    start: float | None
    own: tuple[str, ...]
    own_by: str
    own_at: str
    other: tuple[str, ...]
    other_by: str
    other_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MergePlan:
    """What merging a copy would change. Nothing has been changed yet."""

    copy: Path
    taken: tuple[TakenLabel, ...]
    disagreements: tuple[Disagreement, ...]
    remarks: Mapping[int, Remark]
    """Flags and notes of samples that have none here."""
    new_classes: tuple[str, ...]
    unknown: int
    """Samples that only the copy has."""

    def message(self) -> Message:
        """Say what is taken over, and about what there are two opinions."""
        taken = nmsg(
            "Took over the labels of {count} sample.", "Took over the labels of {count} samples.", len(self.taken)
        )
        if not self.disagreements:
            return taken
        apart = nmsg(
            "{count} sample has another label here than in the copy, and keeps it.",
            "{count} samples have other labels here than in the copy, and keep them.",
            len(self.disagreements),
        )
        return msg("{first} {second}", first=taken, second=apart)

    def parts(self, indices: Mapping[str, int]) -> dict[int, list[Given]]:
        """Return the labels of the samples that have some, with the parts they were given for."""
        return {
            each.sample_id: [(indices[name], start, end) for name, start, end in each.labels]
            for each in self.taken
            if any(start is not None for _name, start, _end in each.labels)
        }

    def wanted(self, indices: Mapping[str, int]) -> dict[int, tuple[int, ...] | None]:
        """Return the labels by sample; None for no label."""
        return {
            each.sample_id: None
            if each.origin is None
            else tuple(dict.fromkeys(indices[name] for name, _start, _end in each.labels))
            for each in self.taken
        }

    def origins(self) -> dict[int, Origin]:
        return {each.sample_id: each.origin for each in self.taken if each.origin is not None}

    def annotators(self) -> dict[int, str]:
        return {each.sample_id: each.annotator for each in self.taken}


def plan_merge(project: Project, copy: Path) -> MergePlan:
    """Compare with the copy at `copy`, which is only read.

    A label of the copy is taken over where the own project has none, or has not changed it since the copy was made.
    Raises HandlensError where the copy is of another project.
    """
    if copy.absolute().resolve() == project.path.resolve():
        raise HandlensError(msg("{copy} is this project itself. Choose a colleague's copy of it.", copy=str(copy)))
    with Project.open(copy, to_read=True) as other:
        if (other.kind, other.task, other.windowing) != (project.kind, project.task, project.windowing):
            raise HandlensError(
                msg(
                    "“{copy}” is not a copy of “{name}”: its samples are cut or labelled in another way.",
                    copy=copy.name,
                    name=project.name,
                )
            )
        theirs, their_remarks = other.label_states(), other.remarks()
    own, own_remarks = project.label_states(), project.remarks()
    pairs, unknown = _matched(own, theirs)
    if not pairs:
        raise HandlensError(
            msg(
                "“{copy}” has no sample of “{name}”. Choose a copy of this project.",
                copy=copy.name,
                name=project.name,
            )
        )
    taken, apart = [], []
    for place, mine, his in pairs:
        decision = _decide(place, mine, his, exclusive=task_named(project.task).exclusive)
        if isinstance(decision, TakenLabel):
            taken.append(decision)
        elif decision is not None:
            apart.append(decision)
    known = {item.name for item in project.classes() if not item.retired}
    names = {name for each in taken for name, _start, _end in each.labels}
    remarks = {
        mine.sample_id: their_remarks[his.sample_id]
        for _place, mine, his in pairs
        if his.sample_id in their_remarks and mine.sample_id not in own_remarks
    }
    return MergePlan(
        copy=copy,
        taken=tuple(taken),
        disagreements=tuple(apart),
        remarks=remarks,
        new_classes=tuple(sorted(names - known)),
        unknown=unknown,
    )


def apply_merge(project: Project, plan: MergePlan) -> None:
    """Take over what `plan` says. On disk when this returns; `undo_merge` takes it back.

    The window has a command of its own that can be undone.
    """
    if not plan.taken and not plan.remarks:
        return
    classes = tuple(project.add_class(name).index for name in plan.new_classes)
    indices = {item.name: item.index for item in project.classes()}
    labels, remarks = project.history_ends()
    pieces = project.restore_in_pieces(
        plan.wanted(indices).items(),
        origins=plan.origins(),
        annotators=plan.annotators(),
        parts=plan.parts(indices),
    )

    def keep_record() -> None:
        last, last_remark = project.history_ends()
        record = MergeRecord(
            copy=plan.copy.name,
            first=labels + 1,
            last=last,
            first_remark=remarks + 1,
            last_remark=last_remark,
            classes=classes,
        )
        project.set_last_merge(record)

    for _piece in pieces:
        keep_record()  # after each: what is there when the process is killed can be taken back
    if plan.remarks:
        project.set_remarks(plan.remarks)
        keep_record()


def undo_merge(project: Project, *, look_only: bool = False) -> UndoneMerge:
    """Give the samples of the last merge the labels that they had before. The history only grows.

    Raises HandlensError where there is no merge, or somebody has labelled one of its samples in another way since.
    `look_only`: change nothing.
    """
    record = project.last_merge()
    if record is None:
        raise HandlensError(
            msg("There is no merge to take back in “{name}”. A merge in the window is undone there.", name=project.name)
        )
    changes, remarks = project.merged(record)
    refuse_changed(changes)
    there = [each for each in changes if each.is_there]
    gone = [sample_id for sample_id, changed in remarks if not changed]
    undone = UndoneMerge(copy=record.copy, labels=len(there), remarks=len(gone), kept_remarks=len(remarks) - len(gone))
    if look_only:
        return undone
    project.restore_labels(
        [
            (each.sample_id, None if each.before is None else tuple(dict.fromkeys(index for index, *_ in each.before)))
            for each in there
        ],
        origins={each.sample_id: each.origin for each in there if each.origin is not None},
        parts={each.sample_id: each.before for each in there if each.before},
    )
    if gone:
        project.set_remarks(dict.fromkeys(gone, Remark()))
    used = {index for sample in project.samples() for index in sample.labels}
    for item in project.classes():
        if item.index in record.classes and item.index not in used and not item.retired:
            project.change_class(item.index, retired=True)
    project.set_last_merge(None)
    return undone


def _matched(own: LabelStates, theirs: LabelStates) -> tuple[list[tuple[Place, LabelState, LabelState]], int]:
    """Find each sample of the copy by its place, else by the contents of its file, which may have another name here."""
    by_contents: dict[tuple[str, float | None], Place] = {}
    for place, state in own.items():
        by_contents.setdefault((state.digest, place[1]), place)
    pairs, unknown = [], 0
    for place, state in theirs.items():
        found = place if place in own else by_contents.get((state.digest, place[1]))
        if found is None:
            unknown += 1
        else:
            pairs.append((found, own[found], state))
    return pairs, unknown


def _decide(place: Place, mine: LabelState, his: LabelState, *, exclusive: bool) -> TakenLabel | Disagreement | None:
    shared = 0
    for one, other in zip(mine.history, his.history, strict=False):
        if one != other:
            break
        shared += 1
    if not _changed(his, shared, imports=shared == 0) or _same(mine, his):
        return None
    _at, annotator, _origin = his.history[-1]
    says_nothing = mine.origin is None or (exclusive and not mine.labels and mine.origin != "ignored")
    if says_nothing or not _changed(mine, shared, imports=False):
        return TakenLabel(sample_id=mine.sample_id, labels=his.labels, origin=his.origin, annotator=annotator)
    own_at, own_by, _own_origin = mine.history[-1]
    return Disagreement(
        sample_id=mine.sample_id,
        path=place[0],
        start=place[1],
        own=tuple(sorted(mine.classes)),
        own_by=own_by,
        own_at=own_at,
        other=tuple(sorted(his.classes)),
        other_by=annotator,
        other_at=his.history[-1][0],
    )


def _same(mine: LabelState, his: LabelState) -> bool:
    """Whether both say the same. That somebody confirmed a label is worth to be taken over."""
    special = {"ignored", "confirmed"}
    return (
        mine.labels == his.labels
        and ({mine.origin} & special) == ({his.origin} & special)
        and ((mine.origin is None) == (his.origin is None))
    )


def _changed(state: LabelState, shared: int, *, imports: bool) -> bool:
    """Whether somebody has labelled the sample in another way after the first `shared` changes.

    `imports`: whether a folder or table counts as somebody. A step that was undone does not count.
    """
    after = state.history[shared:]
    if all(origin == "import" for _at, _who, origin in after):
        return imports and bool(after)
    before = state.steps[shared - 1] if shared else frozenset()
    _at, _who, origin = after[-1]
    drawn = origin == "person" and any(start is not None for _name, start, _end in state.labels)
    return state.classes != before or origin in ("confirmed", "ignored") or drawn
