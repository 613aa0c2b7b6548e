"""A page for a phone: `handlens export --to FOLDER.web` writes it, `handlens serve` shows it in browsers nearby."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import segno
import typer

from ml.commands.common import JsonOption, command, make_console, print_json, say
from ml.core.errors import HandlensError
from ml.core.messages import msg, tr
from ml.pipeline.export_model import export_page as write_page
from ml.project.project import Project
from ml.release.web_page import MARK, SUFFIX
from ml.release.web_runtime import NAME
from ml.release.web_server import PageServer

RuntimeOption = Annotated[
    Path | None,
    typer.Option("--runtime", metavar="FILE", help=tr("For a page: the package {name} as a file.", name=NAME)),
]
DownloadOption = Annotated[
    bool, typer.Option("--download", help=tr("For a page: fetch {name} once, if it is missing.", name=NAME))
]


@dataclass(frozen=True, slots=True)
class PageParts:
    """Where onnxruntime-web comes from: a file, or a download if it is missing."""

    runtime: Path | None
    download: bool


def export_page(project: Path, to: Path, run: int | None, asked: float | None, parts: PageParts, *, json: bool) -> None:
    """Write the page of a run, for the error rate `asked` if there is one."""
    with Project.open(project, to_read=True) as opened:
        number, _info = write_page(
            opened, to.expanduser().absolute(), run, asked, runtime=parts.runtime, download=parts.download
        )
    if json:
        print_json({"event": "exported", "run": number, "path": str(to)})
        return
    say(
        make_console(),
        msg(
            "Run {run} is now a page in {path}. Put the folder on a web server, or show it here: {command}",
            run=str(number),
            path=str(to),
            command=f'handlens serve "{to}"',
        ),
    )


@command(interrupted=msg("The page is no longer served."))
def serve(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help=tr("The folder that {command} wrote.", command="export"))
    ],
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help=tr("The port to listen on; 0 takes a free one."))
    ] = 8080,
    lan: Annotated[
        bool,
        typer.Option(
            "--lan",
            help=tr(
                "Also for other devices in the local network, at an address with a secret part, shown as a QR code."
            ),
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show a page for a phone in browsers until it is interrupted."""
    place = folder.expanduser().absolute()
    if not (place / MARK).is_file():
        raise HandlensError(
            msg(
                "There is no page in {path}. Write one first: {command}",
                path=str(folder),
                command=f"handlens export PROJECT --to NAME{SUFFIX}",
            )
        )
    try:
        server = PageServer(place, port=port, lan=lan)
    except OSError as error:
        raise HandlensError(
            msg(
                "Port {port} is in use by another program. Choose another one with {option}.",
                port=str(port),
                option="--port",
            ),
            details=repr(error),
        ) from error
    with server:
        if json:
            print_json({"event": "serving", "address": server.address, "lan": lan})
        else:
            _say_where(server.address, lan=lan)
        server.serve_forever()


def _say_where(address: str, *, lan: bool) -> None:
    console = make_console()
    say(console, msg("The page is at {address}. End with Ctrl+C.", address=address))
    if lan:
        segno.make(address, error="l").terminal(compact=True)
        say(
            console,
            msg(
                "Whoever has this address can open the page. A phone gives its camera only to pages with https, so use "
                "“Choose or take a picture” there."
            ),
        )
