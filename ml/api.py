"""The door between the core and the window: everything `desktop` may use of `ml`. Loads neither torch nor Qt."""

from ml.demo.projects import DEMO_NAMES, DemoKind, write_samples
from ml.errors import HandlensError, UnreadableError
from ml.estimate import estimate_seconds
from ml.events import (
    TERMINAL,
    BatchDone,
    EpochDone,
    Evaluated,
    Event,
    Failed,
    Finished,
    Note,
    ProbeDone,
    Progress,
    RunStarted,
    Scanned,
    Showcase,
    StageStarted,
    Stopped,
)
from ml.insight.metrics import confusion, wilson_interval
from ml.insight.overlays import blend, inferno, overlay_rgba, strength
from ml.jobs import EvaluateJob, Job, NeverStop, Runner, ScanJob, Stop, StopRequest, TrainJob
from ml.media.audio import AUDIO_SUFFIXES, load_waveform, load_window
from ml.media.images import IMAGE_SUFFIXES, load_image, thumbnail
from ml.media.mel import MelSettings, hz_to_mel, mel_picture, mel_to_hz, settings_for
from ml.project.checks import Finding, findings, problem
from ml.project.predictions import SPLIT_CODES, Predictions
from ml.project.project import SUFFIX, Project, default_annotator
from ml.project.samples import (
    PRESETS,
    SPLITS,
    ClassInfo,
    DuplicateSet,
    FoundFile,
    Kind,
    LabelChange,
    Preset,
    RunInfo,
    Sample,
    ScanReport,
    Split,
    SplitPlan,
    Unreadable,
    Windowing,
)
from ml.project.splitting import plan_split
from ml.worker import Worker

__all__ = [name for name in dir() if not name.startswith("_")]
