"""Starts the pages: a study, a leaderboard, or both.

What is served passes to the pages through the environment of the process, so that no folder and
no password stands on a command line that other users of the machine can read.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from a2bench.app.headers import guarded
from a2bench.errors import CannotRun, UsageError
from a2bench.study.folder import VARIABLE as DATABASE_VARIABLE
from a2bench.types import Json

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

VARIABLE = "A2BENCH_SERVED"
STOP_S = 3
"""How long open pages may take to close."""
SETTINGS: Mapping[str, Json] = {
    "server.headless": True,
    "server.enableXsrfProtection": True,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": 1,
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "theme.base": "light",
    "theme.baseFontSize": 17,
    "theme.headingFontSizes": ["1.9rem", "1.5rem", "1.25rem"],
    "theme.primaryColor": "#1f6fb2",
    # told apart also by people who see red and green alike (Okabe and Ito, and two greys)
    "theme.chartCategoricalColors": [
        *("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9"),
        *("#cc79a7", "#b8a200", "#4d4d4d", "#8c564b", "#a6a6a6"),
    ],
}


@dataclass(frozen=True, kw_only=True)
class Served:
    """What the pages show: a study, tables that ``a2bench leaderboard`` wrote, run stores."""

    study: Path | None = None
    tables: tuple[Path, ...] = ()
    runs: tuple[Path, ...] = ()

    def to_environment(self) -> str:
        paths = {"tables": self.tables, "runs": self.runs}
        row = {name: [str(path.absolute()) for path in many] for name, many in paths.items()}
        return json.dumps({"study": str(self.study.absolute()) if self.study else None, **row})


def served() -> Served:
    """What this process serves, as ``serve`` has put it into the environment."""
    row = json.loads(os.environ[VARIABLE])
    return Served(
        study=Path(row["study"]) if row["study"] else None,
        tables=tuple(map(Path, row["tables"])),
        runs=tuple(map(Path, row["runs"])),
    )


def serve(
    what: Served,
    *,
    host: str,
    port: int,
    database_url: str = "",
    tell: Callable[[str], None] = print,
) -> None:
    """Serves until Ctrl-C. Raises ``CannotRun`` when the port is taken or something is amiss."""
    if what.study is None and not what.tables:
        raise UsageError("give a study's folder, or --leaderboard with a .csv file")
    if absent := [str(path) for path in what.tables if not path.is_file()]:
        raise CannotRun(f"no file {', '.join(absent)}: a2bench leaderboard writes one")
    try:
        import uvicorn
        from streamlit.starlette import App
        from streamlit.web.bootstrap import load_config_options
    except ImportError as error:
        raise CannotRun(f"{error}: pip install 'a2bench[study]'") from error
    routes = _routes(what, database_url)
    os.environ[VARIABLE] = what.to_environment()
    if database_url:
        os.environ[DATABASE_VARIABLE] = database_url
    with _listening(host, port) as listener:
        bound = listener.getsockname()[1]
        load_config_options({**SETTINGS, "server.address": host, "server.port": bound})
        app = App(Path(str(files("a2bench.app") / "main.py")), routes=routes)
        config = uvicorn.Config(
            guarded(app), log_level="warning", ws_ping_interval=30, timeout_graceful_shutdown=STOP_S
        )

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                tell(_address(what, host, bound))  # from here on Ctrl-C is handled

        with suppress(KeyboardInterrupt):
            Server(config).run(sockets=[listener])


def _routes(what: Served, database_url: str) -> list[BaseRoute]:
    """The plain routes; opens the study, so that what is amiss is told before anybody comes."""
    from a2bench.app.routes import door_routes, media_route, study_media
    from a2bench.results.videos import gallery
    from a2bench.study.folder import open_study

    media = {video.media: video.path for video in gallery(what.runs)}
    if what.study is None:
        return [media_route(media)]
    database = open_study(what.study, database_url)
    return [media_route(media | study_media(what.study, database)), *door_routes(database)]


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise CannotRun(
            f"cannot listen on {host}, port {port}: {reason}; another --port, or end what uses it"
        ) from error
    return listener


def _address(what: Served, host: str, port: int) -> str:
    local = ("127.0.0.1", "::1", "0.0.0.0", "::")  # noqa: S104
    name = "localhost" if host in local else host
    base = f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
    if what.study is None:
        return f"leaderboard: {base}\nCtrl-C ends it."
    lines = [f"raters: {base}", f"admin: {base}/admin"]
    lines += [f"leaderboard (admin code): {base}/leaderboard"] if what.tables else []
    lines.append("Only this computer can reach it." if host in ("127.0.0.1", "::1") else "")
    return "\n".join([*filter(None, lines), "Ctrl-C ends it."])
