"""The door between the core and the window: everything `desktop` may use of `ml`. Loads neither torch nor Qt."""

from ml import __version__
from ml.core.backbone_catalog import DEFAULT_BACKBONE, OFFERED, OfferedBackbone
from ml.core.disk import replacing
from ml.core.engine import COMMAND as ENGINE_COMMAND
from ml.core.engine import can_finetune
from ml.core.errors import DamagedProjectError, HandlensError, UnreadableError
from ml.core.events import (
    TERMINAL,
    BackboneChecked,
    BatchDone,
    EpochDone,
    Evaluated,
    Event,
    Exported,
    Failed,
    Finished,
    FirstModel,
    Looked,
    Note,
    ProbeDone,
    Progress,
    RunStarted,
    Scanned,
    Showcase,
    StageStarted,
    Stalled,
    Stopped,
    Suspected,
)
from ml.core.folders import log_folder
from ml.core.jobs import (
    DEFAULT_EAR,
    DEFAULT_FRONT,
    EARS,
    FRONTS,
    WRONG_AT_MOST,
    BackboneJob,
    Ear,
    EvaluateJob,
    ExportJob,
    Front,
    Job,
    LookJob,
    NeverStop,
    Runner,
    ScanJob,
    Stop,
    StopRequest,
    StopRequestedError,
    SuspectJob,
    TrainJob,
)
from ml.core.memory import MEMORY_RAN_OUT, is_memory_shortage
from ml.core.messages import Message, english, msg, nmsg, text
from ml.core.phrases import (
    between,
    counted,
    counted_classes,
    counted_cut,
    counted_files,
    duration,
    files,
    listed,
    of_hundred,
    percent,
    thing,
    things,
)
from ml.core.private_text import describe as describe_error
from ml.core.scan_report import DuplicateSet, FoundFile, LabelIssue, LabelNotes, ScanReport, SplitPlan, Unreadable
from ml.core.stages import Stage, stage_message
from ml.core.types import (
    PRESETS,
    SPLITS,
    ClassInfo,
    KindName,
    LabelChange,
    LabelSpan,
    Origin,
    Preset,
    RunInfo,
    Sample,
    Split,
    TaskName,
    Windowing,
)
from ml.demo.planted import mark_sample, planted_labels, wrong_labels
from ml.demo.projects import DEMO_NAMES, DemoKind, sample_count, write_samples
from ml.evaluation.findings_file import read_findings
from ml.evaluation.run_comparison import (
    LabelCounts,
    Mistake,
    RunComparison,
    RunScore,
    adjusting_result,
    compare_runs,
    run_scores,
)
from ml.evaluation.run_finding import RunFinding
from ml.evaluation.thresholds_in_use import with_thresholds_for
from ml.features.features import cached_embeddings
from ml.inference.answers import Row, answer_row, rejected_because, why_set_aside
from ml.inference.bulk import AnswerList, Work
from ml.inference.close_up import CloseUp, close_up, surest_start
from ml.inference.model_in_use import model_path, open_run_model
from ml.inference.overlays import OverlayNames, check_folder, originals, write_overlay
from ml.inference.package import SUFFIX as PACKAGE_SUFFIX
from ml.inference.package import Package, is_package, open_model, read_package, signer_with, write_package
from ml.inference.sorting import ClassFolders
from ml.inference.tables import TABLES, write_table
from ml.media.images import load_image, thumbnail
from ml.media.kinds import SampleKind, kind_named, kinds
from ml.media.logs.traces import lanes
from ml.media.mel import MelSettings, hz_to_mel, mel_to_hz, settings_for
from ml.pictures.heatmap import blend, inferno, overlay_rgba, strength
from ml.pictures.render_sample import render_sample
from ml.pipeline.worker import Worker
from ml.probe.few_shot import FewShot
from ml.project.backup import restore as restore_backup
from ml.project.cache import cache_bytes, clear_cache, shrink_cache
from ml.project.estimate import SPEEDS, TimePlan, estimate_seconds, plan_time
from ml.project.labelfiles.preview import LabelPreview, preview_labels, suggest_labels
from ml.project.labelfiles.windows import samples_by_file
from ml.project.labels import default_annotator
from ml.project.predictions import SPLIT_CODES, Predictions
from ml.project.project import SUFFIX, Project
from ml.project.releases import RunRelease
from ml.project.runs import EpochRecord
from ml.project.scan.checks import Finding, findings, problem
from ml.project.scan.multilabel import for_task, has_multilabel_tables
from ml.project.split.plan import plan_split
from ml.project.update.add_files import Added, add_files
from ml.project.update.source_changes import SourceChanges, source_changes, update_from_source
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import (
    FilePrediction,
    UnreadableInput,
    WindowPrediction,
    count_inputs,
    find_inputs,
    predict_files,
    search_inputs,
)
from ml.runtime.model import ReleasedModel
from ml.scoring.metrics import accuracy_interval, confusion, wilson_interval
from ml.scoring.multilabel import (
    error_controlled_thresholds,
    multilabel_confusion,
    precision_recall,
    predicted_labels,
    relative_to_threshold,
)
from ml.scoring.tasks import task_named
from ml.scoring.thresholds import SelectiveRisk, Thresholds, choose_thresholds, risk_coverage_curve, selective_risk

__all__ = [
    "DEFAULT_BACKBONE",
    "DEFAULT_EAR",
    "DEFAULT_FRONT",
    "DEMO_NAMES",
    "EARS",
    "ENGINE_COMMAND",
    "FRONTS",
    "MEMORY_RAN_OUT",
    "OFFERED",
    "PACKAGE_SUFFIX",
    "PRESETS",
    "SPEEDS",
    "SPLITS",
    "SPLIT_CODES",
    "SUFFIX",
    "TABLES",
    "TERMINAL",
    "WRONG_AT_MOST",
    "Added",
    "AnswerList",
    "BackboneChecked",
    "BackboneJob",
    "BatchDone",
    "ClassFolders",
    "ClassInfo",
    "CloseUp",
    "DamagedProjectError",
    "DemoKind",
    "DuplicateSet",
    "Ear",
    "EpochDone",
    "EpochRecord",
    "EvaluateJob",
    "Evaluated",
    "Event",
    "ExportJob",
    "Exported",
    "Failed",
    "FewShot",
    "FilePrediction",
    "Finding",
    "Finished",
    "FirstModel",
    "FoundFile",
    "Front",
    "HandlensError",
    "Job",
    "KindName",
    "LabelChange",
    "LabelCounts",
    "LabelIssue",
    "LabelNotes",
    "LabelPreview",
    "LabelSpan",
    "LookJob",
    "Looked",
    "MelSettings",
    "Message",
    "Mistake",
    "ModelInfo",
    "NeverStop",
    "Note",
    "OfferedBackbone",
    "Origin",
    "OverlayNames",
    "Package",
    "Predictions",
    "Preset",
    "ProbeDone",
    "Progress",
    "Project",
    "ReleasedModel",
    "Row",
    "RunComparison",
    "RunFinding",
    "RunInfo",
    "RunRelease",
    "RunScore",
    "RunStarted",
    "Runner",
    "Sample",
    "SampleKind",
    "ScanJob",
    "ScanReport",
    "Scanned",
    "SelectiveRisk",
    "Showcase",
    "SourceChanges",
    "Split",
    "SplitPlan",
    "Stage",
    "StageStarted",
    "Stalled",
    "Stop",
    "StopRequest",
    "StopRequestedError",
    "Stopped",
    "SuspectJob",
    "Suspected",
    "TaskName",
    "Thresholds",
    "TimePlan",
    "TrainJob",
    "Unreadable",
    "UnreadableError",
    "UnreadableInput",
    "WindowPrediction",
    "Windowing",
    "Work",
    "Worker",
    "__version__",
    "accuracy_interval",
    "add_files",
    "adjusting_result",
    "answer_row",
    "between",
    "blend",
    "cache_bytes",
    "cached_embeddings",
    "can_finetune",
    "check_folder",
    "choose_thresholds",
    "clear_cache",
    "close_up",
    "compare_runs",
    "confusion",
    "count_inputs",
    "counted",
    "counted_classes",
    "counted_cut",
    "counted_files",
    "default_annotator",
    "describe_error",
    "duration",
    "english",
    "error_controlled_thresholds",
    "estimate_seconds",
    "files",
    "find_inputs",
    "findings",
    "for_task",
    "has_multilabel_tables",
    "hz_to_mel",
    "inferno",
    "is_memory_shortage",
    "is_package",
    "kind_named",
    "kinds",
    "lanes",
    "listed",
    "load_image",
    "log_folder",
    "mark_sample",
    "mel_to_hz",
    "model_path",
    "msg",
    "multilabel_confusion",
    "nmsg",
    "of_hundred",
    "open_model",
    "open_run_model",
    "originals",
    "overlay_rgba",
    "percent",
    "plan_split",
    "plan_time",
    "planted_labels",
    "precision_recall",
    "predict_files",
    "predicted_labels",
    "preview_labels",
    "problem",
    "read_findings",
    "read_package",
    "rejected_because",
    "relative_to_threshold",
    "render_sample",
    "replacing",
    "restore_backup",
    "risk_coverage_curve",
    "run_scores",
    "sample_count",
    "samples_by_file",
    "search_inputs",
    "selective_risk",
    "settings_for",
    "shrink_cache",
    "signer_with",
    "source_changes",
    "stage_message",
    "strength",
    "suggest_labels",
    "surest_start",
    "task_named",
    "text",
    "thing",
    "things",
    "thumbnail",
    "update_from_source",
    "why_set_aside",
    "wilson_interval",
    "with_thresholds_for",
    "write_overlay",
    "write_package",
    "write_samples",
    "write_table",
    "wrong_labels",
]
