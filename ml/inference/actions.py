"""What a rule does when it fires: a desktop notification, a webhook, an MQTT message, a command."""

from __future__ import annotations

import html
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Protocol, cast

from ml import __version__
from ml.core.messages import Message, english, msg, text, tr, verbatim
from ml.core.phrases import percent
from ml.core.printable import printable
from ml.inference.rules import Broker

WEBHOOK_SECONDS = 10.0
MQTT_SECONDS = 10.0
COMMAND_SECONDS = 60.0
_RETRIED = (408, 425, 429)
"""Answers of a server below 500 after which the same request may work later."""


class NotDeliveredError(Exception):
    """An action did not work. `again`: whether it may work later."""

    def __init__(self, reason: Message, *, again: bool) -> None:
        super().__init__(english(reason))
        self.reason = reason
        self.again = again


class RuleAction(Protocol):
    """One way to tell somebody."""

    repeatable: bool
    """Whether it may be tried again if nobody knows whether it happened."""

    def deliver(self, event: Mapping[str, Any], target: Any) -> None:
        """Tell `target` of the event. Raises NotDeliveredError."""

    def close(self) -> None:
        """Let go of connections."""


class Notify:
    """A notification on the desktop of this machine, by a program that the system brings."""

    repeatable = False

    def deliver(self, event: Mapping[str, Any], target: Any) -> None:  # noqa: ARG002
        title, body = printable(str(event["rule"])), printable(text(sentence_of(event)))
        words, environment = _notification(sys.platform, title, body)
        if shutil.which(words[0]) is None:
            raise NotDeliveredError(
                msg(
                    "This machine has no {program}, so no notification was shown. Install it, or use another action.",
                    program=words[0],
                ),
                again=False,
            )
        _run(words, {**os.environ, **environment}, seconds=20)

    def close(self) -> None:
        """Nothing is open."""


_APPLE_SCRIPT = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)
_POWER_SHELL = """
Add-Type -AssemblyName System.Windows.Forms, System.Drawing
$icon = New-Object System.Windows.Forms.NotifyIcon
$icon.Icon = [System.Drawing.SystemIcons]::Information
$icon.Visible = $true
$icon.ShowBalloonTip(10000, $env:HANDLENS_TITLE, $env:HANDLENS_TEXT, 'Info')
Start-Sleep -Seconds 8
$icon.Dispose()
"""


def _notification(platform: str, title: str, body: str) -> tuple[list[str], dict[str, str]]:
    """Return the program that notifies, and its environment. Words of strangers are never part of a script."""
    if platform == "darwin":
        return ["osascript", *(part for line in _APPLE_SCRIPT for part in ("-e", line)), "--", title, body], {}
    if platform == "win32":
        command = ["powershell", "-NoProfile", "-NonInteractive", "-Command", _POWER_SHELL]
        return command, {"HANDLENS_TITLE": title, "HANDLENS_TEXT": body}
    # The text of a notification may have markup.
    return ["notify-send", "--app-name=Handlens", "--", title, html.escape(body)], {}


class Webhook:
    """A POST request with the event as JSON. `Idempotency-Key` lets the receiver drop a request sent twice."""

    repeatable = True

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(_NoRedirects())

    def deliver(self, event: Mapping[str, Any], target: Any) -> None:
        request = urllib.request.Request(
            str(target),
            data=json.dumps(event).encode(),
            method="POST",
            headers={
                "Content-Type": "application/json",
                "User-Agent": f"Handlens/{__version__}",
                "Idempotency-Key": str(event["id"]),
            },
        )
        try:
            with self._opener.open(request, timeout=WEBHOOK_SECONDS) as answer:
                answer.read(1)
        except urllib.error.HTTPError as error:
            error.close()
            raise NotDeliveredError(
                msg("The webhook answered with status {status}. Check its address.", status=str(error.code)),
                again=error.code >= 500 or error.code in _RETRIED,
            ) from error
        except (OSError, ValueError) as error:  # urllib's own errors are OSErrors; http.client's bad answers are not
            raise _unreached(error) from error
        except Exception as error:
            if type(error).__module__ != "http.client":
                raise
            raise _unreached(error) from error

    def close(self) -> None:
        """Nothing is open."""


class Mqtt:
    """A message to a broker, with the quality of service 1: delivered at least once. Reconnects by itself."""

    repeatable = True

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._client: Any = None
        self._problem: Message | None = None
        self._sent: dict[str, Any] = {}

    def deliver(self, event: Mapping[str, Any], target: Any) -> None:
        client = self._connected()
        key = f"{event['id']} {target}"
        # What was handed over before is sent by the client itself when it is connected again.
        if key not in self._sent:
            self._sent[key] = client.publish(str(target), json.dumps(event).encode(), qos=1)
        info = self._sent[key]
        deadline = time.monotonic() + MQTT_SECONDS
        while not info.is_published() and time.monotonic() < deadline:
            info.wait_for_publish(0.2)
        if not info.is_published():
            raise NotDeliveredError(self._problem or self._silent(), again=True)
        del self._sent[key]

    def close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _connected(self) -> Any:
        """Return a connected client. Raises NotDeliveredError."""
        if self._client is None:
            self._client = self._start()
        deadline = time.monotonic() + MQTT_SECONDS
        while not self._client.is_connected():
            if self._problem is not None or time.monotonic() > deadline:
                raise NotDeliveredError(self._problem or self._silent(), again=True)
            time.sleep(0.05)
        return self._client

    def _start(self) -> Any:
        from paho.mqtt import client as mqtt  # only for those who use it
        from paho.mqtt.enums import CallbackAPIVersion

        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        user, password = self._credentials()
        if user:
            client.username_pw_set(user, password or None)
        if self._broker.tls:
            client.tls_set()
        client.on_connect = self._answered
        client.on_connect_fail = lambda *_arguments: self._fail(self._silent())
        client.reconnect_delay_set(1, 60)
        client.connect_async(self._broker.host, self._broker.port, keepalive=30)
        client.loop_start()
        return client

    def _credentials(self) -> tuple[str, str]:
        user = self._broker.user or os.environ.get("HANDLENS_MQTT_USER", "")
        if self._broker.password_file is None:
            return user, os.environ.get("HANDLENS_MQTT_PASSWORD", "")
        try:
            return user, self._broker.password_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise NotDeliveredError(
                msg("The password file {path} cannot be read.", path=str(self._broker.password_file)), again=True
            ) from error

    def _answered(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._problem = None
        if code.is_failure:
            self._fail(msg("The MQTT server refused the connection: {reason}.", reason=verbatim(str(code))))

    def _fail(self, problem: Message) -> None:
        self._problem = problem

    def _silent(self) -> Message:
        return msg(
            "The MQTT server {host}:{port} does not answer. Check its address.",
            host=self._broker.host,
            port=str(self._broker.port),
        )


class Command:
    """A program with its arguments, never by a shell. It reads the event from its environment.

    An argument that is just {path}, {class} or {rule} is replaced.
    """

    repeatable = False

    def deliver(self, event: Mapping[str, Any], target: Any) -> None:
        fields = {name: str(event[name]) for name in ("id", "rule", "class", "probability", "path", "time")}
        environment = {**os.environ, **{f"HANDLENS_{name.upper()}": value for name, value in fields.items()}}
        places = {"{path}": fields["path"], "{class}": fields["class"], "{rule}": fields["rule"]}
        _run([places.get(word, word) for word in target], environment, seconds=COMMAND_SECONDS)

    def close(self) -> None:
        """Nothing is open."""


def sentence_of(event: Mapping[str, Any]) -> Message:
    """Say what made a rule fire."""
    values = {"class_name": event["class"], "percent": percent(event["probability"]), "path": event["path"]}
    if event.get("start") is None:
        return msg("{class_name} ({percent}) in {path}", **values)
    return msg("{class_name} ({percent}) in {path}, at {seconds:g} s", **values, seconds=round(event["start"], 1))


def test_event(rule: str, class_name: str, path: str) -> dict[str, Any]:
    """Return an event that says that it is a test."""
    return {
        "id": f"test-{time.time_ns():x}",
        "test": True,
        "rule": rule,
        "class": class_name,
        "probability": 1.0,
        "path": path,
        "start": None,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "times": 1,
        "sentence": tr("This is a test of the rule “{rule}”.", rule=rule),
    }


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An event goes to the address in the rules and nowhere else."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


def _unreached(error: BaseException) -> NotDeliveredError:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return NotDeliveredError(
        msg("The webhook could not be reached: {reason}.", reason=verbatim(str(reason))), again=True
    )


def _run(words: list[str], environment: dict[str, str], *, seconds: float) -> None:
    try:
        done = subprocess.run(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
            start_new_session=True,  # Ctrl+C ends the watch, not the siren
        )
    except subprocess.TimeoutExpired as error:
        raise NotDeliveredError(
            msg("{program} did not end within {seconds} s and was stopped.", program=words[0], seconds=round(seconds)),
            again=False,
        ) from error
    except (OSError, ValueError) as error:
        reason = cast(str, getattr(error, "strerror", None) or str(error))
        raise NotDeliveredError(
            msg("{program} could not be started: {reason}.", program=words[0], reason=verbatim(reason)), again=False
        ) from error
    if done.returncode:
        raise NotDeliveredError(
            msg("{program} ended with exit code {code}.", program=words[0], code=str(done.returncode)), again=False
        )
