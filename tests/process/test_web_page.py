"""The page for a phone: what it answers in a real browser, and what its server gives to whom."""

from __future__ import annotations

import base64
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from chromium import PROGRAM, Page, chromium
from PIL import Image

from ml.core.errors import HandlensError
from ml.release.web_page import write_web_page
from ml.release.web_runtime import FILES, web_runtime
from ml.release.web_server import PageServer
from ml.runtime.folder import FilePrediction, predict_files
from ml.runtime.model import ReleasedModel


@pytest.fixture
def model(trained_project: Path) -> Path:
    return trained_project / "runs" / "0001" / "model.onnx"


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """Stands in for onnxruntime-web where no browser reads it."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text("// nothing")
    return folder


@contextmanager
def served(folder: Path, *, lan: bool = False) -> Iterator[PageServer]:
    with PageServer(folder, lan=lan) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def status(address: str) -> int:
    try:
        with urllib.request.urlopen(address) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def pictures(folder: Path, count: int) -> list[Path]:
    """Shapes as JPEG and PNG; some are turned by EXIF, some transparent, some larger than the canvas of a phone."""
    rng = np.random.default_rng(3)
    folder.mkdir()
    files = []
    for number in range(count):
        side = 2300 if number == 5 else int(rng.integers(40, 500))
        coarse = Image.fromarray(rng.integers(0, 255, (5, 7, 4), dtype=np.uint8), "RGBA")
        picture = coarse.resize((side, int(side * rng.uniform(0.5, 1.5))), Image.Resampling.BICUBIC)
        path = folder / f"{number:03d}.{'png' if number % 3 == 0 else 'jpg'}"
        if path.suffix == ".png":
            picture.save(path)
        else:
            exif = Image.Exif()
            exif[0x0112] = int(rng.integers(1, 9))
            picture.convert("RGB").save(path, quality=92, exif=exif)
        files.append(path)
    return files


def answered(page: Page, file: Path) -> tuple[list[float], str]:
    data = base64.b64encode(file.read_bytes()).decode()
    script = f"""(async () => {{
        const bytes = Uint8Array.from(atob('{data}'), (letter) => letter.charCodeAt(0));
        const result = await handlens.answer(new Blob([bytes]));
        return [result.probabilities, document.getElementById('answer').textContent];
    }})()"""
    probabilities, shown = page.run(script)
    return probabilities, shown


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium here")
@pytest.mark.parametrize(("small", "tolerance"), [(False, 0.02), (True, 0.05)])
def test_a_browser_answers_as_predict_does(
    model: Path, tmp_path: Path, *, small: bool, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    try:
        runtime = web_runtime(download=True)
    except HandlensError as error:
        pytest.skip(f"onnxruntime-web could not be fetched: {error}")
    released = ReleasedModel.open(model)
    write_web_page(model, released.info, tmp_path / "p.web", runtime=runtime, small=small)
    assert not small or (tmp_path / "p.web" / "model.onnx").stat().st_size < 6e6
    files = pictures(tmp_path / "pictures", 100 if not small else 20)
    with served(tmp_path / "p.web") as server, chromium() as page:
        page.open(server.address)
        page.run("handlens.ready")
        for expected in predict_files(released, files):
            assert isinstance(expected, FilePrediction)
            probabilities, shown = answered(page, expected.path)
            assert np.abs(np.array(probabilities) - expected.probabilities).max() <= tolerance, expected.path
            second, first = np.sort(expected.probabilities)[-2:]
            if first - second > 2 * tolerance:
                assert shown == released.info.classes[expected.best]
        page.run("navigator.serviceWorker.ready.then(() => null)")
    with chromium() as page, served(tmp_path / "p.web") as server:
        page.open(server.address)
        page.run("handlens.ready")
        page.run("navigator.serviceWorker.ready.then(() => null)")
        page.command("Network.enable")
        page.command(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
        page.open(server.address)
        page.run("handlens.ready")
        assert answered(page, files[0])[1]


def test_the_server_gives_the_files_of_the_page_and_nothing_else(model: Path, runtime: Path, tmp_path: Path) -> None:
    info = ReleasedModel.open(model).info
    write_web_page(model, info, tmp_path / "p.web", runtime=runtime)
    (tmp_path / "secret.txt").write_text("nobody")
    (tmp_path / "p.web" / "link.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "p.web" / ".hidden").write_text("nobody")
    with served(tmp_path / "p.web") as server:
        assert server.server_address[0] == "127.0.0.1"
        assert status(server.address) == status(server.address + "app.js") == status(server.address + "?x=1") == 200
        for other in ("../secret.txt", "%2e%2e/secret.txt", "link.txt", ".hidden", "x/", "..%5csecret.txt"):
            assert status(server.address + other) == 404, other
    with served(tmp_path / "p.web", lan=True) as server:
        root = f"http://127.0.0.1:{server.server_port}/"
        assert status(root + server.token + "/model.json") == 200
        for other in ("", "index.html", "model.json", f"{server.token}x/model.json"):
            assert status(root + other) == 404, other


def test_a_page_replaces_an_older_page_and_nothing_else(model: Path, runtime: Path, tmp_path: Path) -> None:
    info = ReleasedModel.open(model).info
    folder = tmp_path / "p.web"
    for _ in range(2):
        write_web_page(model, info, folder, runtime=runtime)
    assert json.loads((folder / "model.json").read_text(encoding="utf-8"))["classes"] == list(info.classes)
    other = tmp_path / "mine.web"
    other.mkdir()
    (other / "diary.txt").write_text("dear")
    with pytest.raises(HandlensError):
        write_web_page(model, info, other, runtime=runtime)
    assert (other / "diary.txt").read_text() == "dear"


def test_another_package_than_the_published_one_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "onnxruntime-web-1.22.0.tgz"
    package.write_bytes(b"not it")
    with pytest.raises(HandlensError, match="not onnxruntime-web"):
        web_runtime(package)
