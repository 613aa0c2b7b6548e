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
    FeaturesReady,
    Finished,
    FirstModel,
    Looked,
    MapReady,
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
    DataMapJob,
    Ear,
    EvaluateJob,
    ExportJob,
    FeaturesJob,
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
    clock_time,
    counted,
    counted_classes,
    counted_cut,
    counted_files,
    counted_samples,
    counted_with_videos,
    duration,
    files,
    frame_of,
    listed,
    of_hundred,
    percent,
    thing,
    things,
    video_time,
)
from ml.core.private_text import describe as describe_error
from ml.core.scan_report import DuplicateSet, FoundFile, LabelIssue, LabelNotes, ScanReport, SplitPlan, Unreadable
from ml.core.stages import Stage, stage_message
from ml.core.stored_windowing import MOST_TIMES_SLOWER
from ml.core.types import (
    FIRST_BANDS,
    PAGE_CHOICES,
    PRESETS,
    SPLITS,
    ClassInfo,
    KindName,
    LabelChange,
    LabelColumns,
    LabelSpan,
    Origin,
    PageChoice,
    PictureReading,
    Preset,
    Reading,
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
    ClassDifference,
    LabelCounts,
    Mistake,
    RunComparison,
    RunDifference,
    RunScore,
    adjusting_result,
    compare_runs,
    data_versions,
    run_difference,
    run_scores,
)
from ml.evaluation.run_finding import RunFinding
from ml.evaluation.thresholds_in_use import with_thresholds_for
from ml.features.colours import COLOURS, cached_colours
from ml.features.features import cached_embeddings, embeddings_in
from ml.features.seen import Seen, seen_in
from ml.graphs.imagenet import imagenet_classes_for
from ml.inference.actions import RuleAction
from ml.inference.actions import sentence_of as alarm_sentence
from ml.inference.answers import Row, answer_row, rejected_because, why_set_aside
from ml.inference.bulk import AnswerList, Work
from ml.inference.close_up import CloseUp, close_up, surest_start
from ml.inference.counts import CountTable, HourTally, Per, tally_detections, tally_files
from ml.inference.deliveries import make_actions
from ml.inference.detection_export import DETECTION_FILES, export_detections
from ml.inference.detection_review import Consequence, DetectionReview, consequence_sentence, review_sentence
from ml.inference.detections import Detection, FileEnd, detect_files
from ml.inference.folder_test import (
    FolderTest,
    class_folders,
    confusion_sentence,
    folder_test_sentence,
    score_folder,
)
from ml.inference.frames import by_frame, is_of_video, moment
from ml.inference.label_export import FORM_SUFFIXES, LabelExport, export_labels, label_forms
from ml.inference.live import HeardSound, LiveAnswer, LiveListener, answer_picture
from ml.inference.model_in_use import model_path, open_run_model
from ml.inference.network_input import network_band, network_input
from ml.inference.overlays import OverlayNames, check_folder, originals, write_overlay
from ml.inference.package import SUFFIX as PACKAGE_SUFFIX
from ml.inference.package import Package, is_package, open_model, read_package, signer_with, write_package
from ml.inference.rules import Rule, RuleSet, make_rules, read_rules
from ml.inference.scene_files import area_name, area_words, map_rgba, write_scene
from ml.inference.scenes import SMALLEST_TILE, ClassArea, SceneMap, map_scene, usual_edge
from ml.inference.sorting import ClassFolders
from ml.inference.tables import TABLES, write_table
from ml.inference.watch import FolderWatch, WatchPlan, check_table, memory_file, try_actions, watch_plan
from ml.inference.watch_memory import WatchMemory
from ml.media.audio import claimed_seconds, load_waveform, stream_waveform
from ml.media.band_pass import band_pass
from ml.media.ffmpeg_check import FFmpegCheck, check_ffmpeg
from ml.media.frames import frames_asked
from ml.media.images import load_image, sample_values, thumbnail
from ml.media.kinds import SampleKind, kind_named, kinds
from ml.media.logs.traces import lanes
from ml.media.mel import MelSettings, hz_to_mel, mel_to_hz, settings_for
from ml.media.overview import Overview, close_picture, log_picture, log_seconds, stream_overview
from ml.media.scenes import scene_size
from ml.media.signatures import is_strange, kind_inside
from ml.media.speech_mel import hz_to_slaney
from ml.pictures.heatmap import attended_times, blend, inferno, overlay_rgba, strength
from ml.pictures.render_sample import render_sample
from ml.pipeline.worker import Worker
from ml.probe.few_shot import FewShot
from ml.probe.next_samples import all_like, most_similar, most_useful, reduced, uncertainty
from ml.project.backup import restore as restore_backup
from ml.project.cache import cache_bytes, clear_cache, shrink_cache
from ml.project.estimate import SPEEDS, TimePlan, estimate_seconds, plan_time
from ml.project.labelfiles.preview import LabelPreview, TableHead, preview_labels, suggest_labels, table_head
from ml.project.labelfiles.windows import samples_by_file
from ml.project.labels import Parts as LabelParts
from ml.project.labels import default_annotator
from ml.project.manage import (
    FORBIDDEN_IN_NAMES,
    Archived,
    archive_project,
    archived_sentence,
    check_not_in_use,
    check_project_name,
    duplicate_project,
    rename_project,
    unused_project_name,
)
from ml.project.merge import MergePlan, plan_merge
from ml.project.predictions import SPLIT_CODES, Predictions
from ml.project.project import SUFFIX, Project
from ml.project.readiness import missing_labels
from ml.project.releases import RunRelease
from ml.project.remarks import LONGEST_NOTE, Remark
from ml.project.run_settings import read_run_settings, stage_rates
from ml.project.runs import EpochRecord
from ml.project.scan.checks import findings, may_be_labelled, problem
from ml.project.scan.finding import Finding
from ml.project.scan.multilabel import for_task, has_multilabel_tables
from ml.project.scan.reading import (
    common_bands,
    deep_files,
    has_windows,
    odd_pictures,
    proposed_range,
    read_otherwise,
    reading_sentences,
    several_pages,
)
from ml.project.scan.slower import may_be_slowed, with_time_expansion
from ml.project.spans import edit_spans, spans_in
from ml.project.split.plan import plan_split
from ml.project.update.add_files import Added, add_files
from ml.project.update.relink import Found
from ml.project.update.source_changes import SourceChanges, source_changes, update_from_source
from ml.release.web_runtime import MEGABYTES as PAGE_RUNTIME_MEGABYTES
from ml.release.web_runtime import NAME as PAGE_RUNTIME_NAME
from ml.release.web_runtime import has_web_runtime as has_page_runtime
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
from ml.scoring.near_duplicates import near_duplicates
from ml.scoring.projection import principal_components
from ml.scoring.tasks import task_named
from ml.scoring.thresholds import SelectiveRisk, Thresholds, choose_thresholds, risk_coverage_curve, selective_risk

__all__ = [
    "COLOURS",
    "DEFAULT_BACKBONE",
    "DEFAULT_EAR",
    "DEFAULT_FRONT",
    "DEMO_NAMES",
    "DETECTION_FILES",
    "EARS",
    "ENGINE_COMMAND",
    "FIRST_BANDS",
    "FORBIDDEN_IN_NAMES",
    "FORM_SUFFIXES",
    "FRONTS",
    "LONGEST_NOTE",
    "MEMORY_RAN_OUT",
    "MOST_TIMES_SLOWER",
    "OFFERED",
    "PACKAGE_SUFFIX",
    "PAGE_CHOICES",
    "PAGE_RUNTIME_MEGABYTES",
    "PAGE_RUNTIME_NAME",
    "PRESETS",
    "SMALLEST_TILE",
    "SPEEDS",
    "SPLITS",
    "SPLIT_CODES",
    "SUFFIX",
    "TABLES",
    "TERMINAL",
    "WRONG_AT_MOST",
    "Added",
    "AnswerList",
    "Archived",
    "BackboneChecked",
    "BackboneJob",
    "BatchDone",
    "ClassArea",
    "ClassDifference",
    "ClassFolders",
    "ClassInfo",
    "CloseUp",
    "Consequence",
    "CountTable",
    "DamagedProjectError",
    "DataMapJob",
    "DemoKind",
    "Detection",
    "DetectionReview",
    "DuplicateSet",
    "Ear",
    "EpochDone",
    "EpochRecord",
    "EvaluateJob",
    "Evaluated",
    "Event",
    "ExportJob",
    "Exported",
    "FFmpegCheck",
    "Failed",
    "FeaturesJob",
    "FeaturesReady",
    "FewShot",
    "FileEnd",
    "FilePrediction",
    "Finding",
    "Finished",
    "FirstModel",
    "FolderTest",
    "FolderWatch",
    "Found",
    "FoundFile",
    "Front",
    "HandlensError",
    "HeardSound",
    "HourTally",
    "Job",
    "KindName",
    "LabelChange",
    "LabelColumns",
    "LabelCounts",
    "LabelExport",
    "LabelIssue",
    "LabelNotes",
    "LabelParts",
    "LabelPreview",
    "LabelSpan",
    "LiveAnswer",
    "LiveListener",
    "LookJob",
    "Looked",
    "MapReady",
    "MelSettings",
    "MergePlan",
    "Message",
    "Mistake",
    "ModelInfo",
    "NeverStop",
    "Note",
    "OfferedBackbone",
    "Origin",
    "OverlayNames",
    "Overview",
    "Package",
    "PageChoice",
    "Per",
    "PictureReading",
    "Predictions",
    "Preset",
    "ProbeDone",
    "Progress",
    "Project",
    "Reading",
    "ReleasedModel",
    "Remark",
    "Row",
    "Rule",
    "RuleAction",
    "RuleSet",
    "RunComparison",
    "RunDifference",
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
    "SceneMap",
    "Seen",
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
    "TableHead",
    "TaskName",
    "Thresholds",
    "TimePlan",
    "TrainJob",
    "Unreadable",
    "UnreadableError",
    "UnreadableInput",
    "WatchMemory",
    "WatchPlan",
    "WindowPrediction",
    "Windowing",
    "Work",
    "Worker",
    "__version__",
    "accuracy_interval",
    "add_files",
    "adjusting_result",
    "alarm_sentence",
    "all_like",
    "answer_picture",
    "answer_row",
    "archive_project",
    "archived_sentence",
    "area_name",
    "area_words",
    "attended_times",
    "band_pass",
    "between",
    "blend",
    "by_frame",
    "cache_bytes",
    "cached_colours",
    "cached_embeddings",
    "can_finetune",
    "check_ffmpeg",
    "check_folder",
    "check_not_in_use",
    "check_project_name",
    "check_table",
    "choose_thresholds",
    "claimed_seconds",
    "class_folders",
    "clear_cache",
    "clock_time",
    "close_picture",
    "close_up",
    "common_bands",
    "compare_runs",
    "confusion",
    "confusion_sentence",
    "consequence_sentence",
    "count_inputs",
    "counted",
    "counted_classes",
    "counted_cut",
    "counted_files",
    "counted_samples",
    "counted_with_videos",
    "data_versions",
    "deep_files",
    "default_annotator",
    "describe_error",
    "detect_files",
    "duplicate_project",
    "duration",
    "edit_spans",
    "embeddings_in",
    "english",
    "error_controlled_thresholds",
    "estimate_seconds",
    "export_detections",
    "export_labels",
    "files",
    "find_inputs",
    "findings",
    "folder_test_sentence",
    "for_task",
    "frame_of",
    "frames_asked",
    "has_multilabel_tables",
    "has_page_runtime",
    "has_windows",
    "hz_to_mel",
    "hz_to_slaney",
    "imagenet_classes_for",
    "inferno",
    "is_memory_shortage",
    "is_of_video",
    "is_package",
    "is_strange",
    "kind_inside",
    "kind_named",
    "kinds",
    "label_forms",
    "lanes",
    "listed",
    "load_image",
    "load_waveform",
    "log_folder",
    "log_picture",
    "log_seconds",
    "make_actions",
    "make_rules",
    "map_rgba",
    "map_scene",
    "mark_sample",
    "may_be_labelled",
    "may_be_slowed",
    "mel_to_hz",
    "memory_file",
    "missing_labels",
    "model_path",
    "moment",
    "most_similar",
    "most_useful",
    "msg",
    "multilabel_confusion",
    "near_duplicates",
    "network_band",
    "network_input",
    "nmsg",
    "odd_pictures",
    "of_hundred",
    "open_model",
    "open_run_model",
    "originals",
    "overlay_rgba",
    "percent",
    "plan_merge",
    "plan_split",
    "plan_time",
    "planted_labels",
    "precision_recall",
    "predict_files",
    "predicted_labels",
    "preview_labels",
    "principal_components",
    "problem",
    "proposed_range",
    "read_findings",
    "read_otherwise",
    "read_package",
    "read_rules",
    "read_run_settings",
    "reading_sentences",
    "reduced",
    "rejected_because",
    "relative_to_threshold",
    "rename_project",
    "render_sample",
    "replacing",
    "restore_backup",
    "review_sentence",
    "risk_coverage_curve",
    "run_difference",
    "run_scores",
    "sample_count",
    "sample_values",
    "samples_by_file",
    "scene_size",
    "score_folder",
    "search_inputs",
    "seen_in",
    "selective_risk",
    "settings_for",
    "several_pages",
    "shrink_cache",
    "signer_with",
    "source_changes",
    "spans_in",
    "stage_message",
    "stage_rates",
    "stream_overview",
    "stream_waveform",
    "strength",
    "suggest_labels",
    "surest_start",
    "table_head",
    "tally_detections",
    "tally_files",
    "task_named",
    "text",
    "thing",
    "things",
    "thumbnail",
    "try_actions",
    "uncertainty",
    "unused_project_name",
    "update_from_source",
    "usual_edge",
    "video_time",
    "watch_plan",
    "why_set_aside",
    "wilson_interval",
    "with_thresholds_for",
    "with_time_expansion",
    "write_overlay",
    "write_package",
    "write_samples",
    "write_scene",
    "write_table",
    "wrong_labels",
]
