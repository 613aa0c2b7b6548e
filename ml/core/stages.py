"""What each stage of a job does, in one sentence. The only table of them: events carry the stage alone."""

from __future__ import annotations

from typing import Literal

from ml.core.messages import Message, msg

Stage = Literal[
    "scan",
    "preflight",
    "download",
    "decode",
    "features",
    "probe",
    "finetune",
    "refit",
    "predict",
    "export",
    "label_issues",
    "map",
    "evaluate",
]

_SENTENCES: dict[Stage, Message] = {
    "scan": msg("Looking through the folder."),
    "preflight": msg("Getting ready."),
    "download": msg("Downloading the pretrained network, once."),
    "decode": msg("Opening every file once."),
    "features": msg("The pretrained network looks at every sample once."),
    "probe": msg("Training a first model on what the pretrained network sees."),
    "finetune": msg("Adjusting the network to your classes, for as long as that helps."),
    "refit": msg("Final training on all samples, including the validation samples."),
    "predict": msg("Predicting every sample with the finished model."),
    "export": msg("Writing the model to a file and checking that the file gives the same answers."),
    "label_issues": msg("Checking every label with a model that was not trained on that sample."),
    "map": msg("Arranging the samples so that those that are alike lie together."),
    "evaluate": msg("The model predicts the files it is tested on."),
}


def stage_message(stage: Stage) -> Message:
    """What happens in that stage."""
    return _SENTENCES[stage]
