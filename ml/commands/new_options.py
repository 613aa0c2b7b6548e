"""What `handlens new` can be asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ml.commands.arguments import frame_seconds, rows_a_second, times_slower
from ml.commands.common import whole_number
from ml.core.messages import tr
from ml.core.types import PAGE_CHOICES, PageChoice
from ml.media.kinds import kinds

SourceOption = Annotated[
    Path,
    typer.Option("--from", metavar="FOLDER", help=tr("The folder with the files, one sub-folder per class.")),
]
KindOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=tr(
            "What the files are: {kinds} (sensors: tables of measurements, as CSV). If not given, it is seen from "
            "their names.",
            kinds=", ".join(kind.name for kind in kinds()),
        ),
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        parser=rows_a_second,
        metavar="HZ",
        help=tr("For sensor logs: rows per second, if they have no column of times or it is wrong."),
    ),
]
SplitByOption = Annotated[
    str,
    typer.Option(
        metavar="HOW",
        help=tr(
            "What must stay together when the samples are split for the test: {choices}.",
            choices="folder, recording, pattern:REGEX",
        ),
    ),
]
LabelsOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE|FOLDER",
        help=tr(
            "Where the labels are, if not in sub-folders: a table (CSV) with a column of file names and one of "
            "classes, Audacity label tracks, Raven selection tables, or a folder of these. Can be given several "
            "times."
        ),
    ),
]
ColumnsOption = Annotated[
    str,
    typer.Option(
        metavar="FILE,CLASS",
        help=tr("The columns of the table that name the file and the class, where Handlens does not know them."),
    ),
]
MultiLabelOption = Annotated[
    bool,
    typer.Option(
        "--multi-label",
        help=tr(
            "More than one class may be present. Copies of a file in several class folders count as one file of "
            "all these classes. Files in a folder “{none}” show none of them.",
            none="none",
        ),
    ),
]
UnlabelledOption = Annotated[
    bool,
    typer.Option(
        "--unlabelled",
        help=tr("No folder names a class. You label the files in the window and name the classes as you go."),
    ),
]
PagesOption = Annotated[
    PageChoice,
    typer.Option(
        metavar="WHICH",
        help=tr(
            "Which page is used of pictures with several, such as stacks of a microscope: {choices}.",
            choices=", ".join(PAGE_CHOICES),
        ),
    ),
]
FrameEveryOption = Annotated[
    float | None,
    typer.Option(
        parser=frame_seconds,
        metavar="SECONDS",
        help=tr("For videos among pictures: how far apart the pictures are that are taken from them."),
    ),
]
RangeOption = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--range",
        metavar="LOW HIGH",
        help=tr(
            "The values that become black and white in pictures with more than 8 bits. If not given, they are chosen "
            "from all pictures."
        ),
    ),
]
BandsOption = Annotated[
    str,
    typer.Option(
        metavar="A,B,C",
        help=tr(
            "The bands that become red, green and blue in pictures with more than three, counted from 1, such as "
            "{example}.",
            example="4,3,2",
        ),
    ),
]
TimeExpansionOption = Annotated[
    int | None,
    typer.Option(
        parser=times_slower,
        metavar="N",
        help=tr(
            "For recordings: how many times slower the network hears them, as with the calls of bats; 1 is off. If "
            "not given, it is chosen from their sounds."
        ),
    ),
]
SeedOption = Annotated[
    int, typer.Option(parser=whole_number, metavar="N", help=tr("Another number gives another split."))
]
