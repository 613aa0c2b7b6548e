"""`handlens serve`: the page that `export --to FOLDER.web` wrote, for browsers on this computer or nearby."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import segno
import typer

from ml.commands.common import JsonOption, command, make_console, print_json, say
from ml.core.errors import HandlensError
from ml.core.messages import msg, tr
from ml.release.web_page import MARK, SUFFIX
from ml.release.web_server import PageServer


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
