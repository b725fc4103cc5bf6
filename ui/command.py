"""Bodies of ``chat`` and ``eval review page``: they check what a page needs, then run Streamlit's server as a child process."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from medqa.environment import prepare
from medqa.errors import MedqaError
from medqa.review_sheet import RATER, SHEET, read_sheet
from medqa.settings import Settings
from ui.variants import possible_variants

ADDRESS = "127.0.0.1"
"""Loopback only: questions about health are nobody else's business."""
SETTINGS_VARIABLE = "MEDQA_CHAT_SETTINGS"
"""Environment variable that carries the settings (JSON) to the page; gone with the process, unlike a file."""
FOLDER_VARIABLE, RATER_VARIABLE = "MEDQA_REVIEW_FOLDER", "MEDQA_REVIEW_RATER"
"""What the review page is told."""
APP = Path(__file__).with_name("app.py")
REVIEW = Path(__file__).with_name("review.py")
GRACE_SECONDS = 5.0
"""How long the server may take to close its connections before it is killed."""

_OPTIONS = {
    "server.headless": "true",  # opens no browser and asks for no e-mail address
    "server.address": ADDRESS,
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",  # tracebacks go to the terminal, not into the page
    "runner.magicEnabled": "false",  # a bare expression in the script is not output
    "theme.base": "light",
    "theme.primaryColor": "#0f766e",
    "theme.backgroundColor": "#ffffff",
    "theme.secondaryBackgroundColor": "#f3f6f6",
    "theme.textColor": "#1c2b2d",
    "theme.linkColor": "#0f766e",
    "theme.borderColor": "#d5dfdf",
    "theme.baseRadius": "0.6rem",
    "theme.showWidgetBorder": "true",
}


def chat(settings: Settings, port: int = 8501) -> int:
    """Serve the chat until Ctrl-C (exit code 0). Blocks.

    Raises:
        MedqaError: Streamlit is not installed, the port is taken, or there is no index or model to answer with.
    """
    _check_streamlit()
    possible_variants(settings)
    variables = {SETTINGS_VARIABLE: settings.model_dump_json(exclude_unset=True)}
    return _serve("medqa chat", APP, variables, settings.offline, port)


def review(folder: Path, rater: str, settings: Settings, port: int = 8502) -> int:
    """Serve the page on which ``rater`` grades the sheet in ``folder``, until Ctrl-C (exit code 0). Blocks.

    Raises:
        MedqaError: Streamlit is not installed, the port is taken, there is no sheet, or the name cannot be a file's.
    """
    _check_streamlit()
    if not RATER.fullmatch(rater):
        raise MedqaError(
            f"wanted a rater's name of letters, digits, dots and dashes, found {rater!r}; give another --rater"
        )
    read_sheet(folder / SHEET)
    variables = {FOLDER_VARIABLE: str(folder.resolve()), RATER_VARIABLE: rater}
    return _serve("medqa eval review page", REVIEW, variables, settings.offline, port)


def _check_streamlit() -> None:
    if importlib.util.find_spec("streamlit") is None:
        raise MedqaError('wanted Streamlit for the page, found none; install it with: pip install "medqa[ui]"')


def _serve(name: str, script: Path, variables: Mapping[str, str], offline: bool, port: int) -> int:
    _check_port(port)
    prepare(offline)
    print(f"{name}: http://{ADDRESS}:{port} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    with _terminate_like_interrupt():
        server = subprocess.Popen(
            server_command(port, script), env=os.environ | dict(variables), stdout=subprocess.DEVNULL
        )
        try:
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _end(server)


def server_command(port: int, script: Path = APP) -> list[str]:
    """The command line of Streamlit's server."""
    options = _OPTIONS | {"server.port": str(port)}
    flags = [text for name, value in options.items() for text in (f"--{name}", value)]
    return [sys.executable, "-m", "streamlit", "run", str(script), *flags]


def _check_port(port: int) -> None:
    if not 1 <= port <= 65535:
        raise MedqaError(f"wanted a port between 1 and 65535, found {port}; give another one with --port")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: a port in TIME_WAIT is free
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise MedqaError(
                f"wanted the port {port} for the page, found it taken ({error.strerror}); give another one with --port"
            ) from error


@contextmanager
def _terminate_like_interrupt() -> Iterator[None]:
    """SIGTERM (a service manager's stop) ends the server as Ctrl-C does, instead of leaving it behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous: Any = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _end(server: "subprocess.Popen[bytes]") -> None:
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
