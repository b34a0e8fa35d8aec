"""The server: what it gives to whom, and how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from a2bench.app.board import MEDIA_PATH
from a2bench.app.headers import HEADERS
from a2bench.app.routes import ADMIN_COOKIE, RATER_COOKIE
from a2bench.app.serving import Served, serve
from a2bench.errors import CannotRun, UsageError
from a2bench.study.folder import MEDIA
from tests.app.study import Site
from tests.helpers import ROOT


def _ask(
    site: Site, method: str, path: str, body: str = "", **headers: str
) -> tuple[HTTPResponse, bytes]:
    where = urlsplit(site.base)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(HTTPConnection(str(where.hostname), where.port, timeout=20)) as connection:
        connection.request(method, path, body or None, {**form, **named})
        response = connection.getresponse()
        return response, response.read()


def _clip(site: Site) -> tuple[str, bytes]:
    name = site.database.design().items[0].clips[0].media
    return f"{MEDIA_PATH}/{name}", (site.folder / MEDIA / name).read_bytes()


def test_media_is_served_whole_and_by_range(site: Site) -> None:
    path, held = _clip(site)
    response, body = _ask(site, "GET", path)
    assert (response.status, body) == (200, held)
    assert response.headers["Content-Type"] == "video/mp4"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert "immutable" in response.headers["Cache-Control"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    response, body = _ask(site, "GET", path, Range="bytes=5-14")
    assert (response.status, body) == (206, held[5:15])
    assert response.headers["Content-Range"] == f"bytes 5-14/{len(held)}"


@pytest.mark.parametrize("name", ["", "study.json", "..%2Fstudy.json", "..%2Fstudy.sqlite", "x"])
def test_nothing_else_is_served(site: Site, name: str) -> None:
    response, body = _ask(site, "GET", f"{MEDIA_PATH}/{name}")
    assert response.status in (200, 301, 400, 404)  # 200: the empty page of Streamlit
    assert b"SQLite" not in body
    assert b'"items"' not in body
    (site.folder / MEDIA / "strange.mp4").write_bytes(b"not in the design")
    assert _ask(site, "GET", f"{MEDIA_PATH}/strange.mp4")[0].status == 404


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/admin", "/?invite=x", "/enter", "/favicon.png", "/_stcore/health"),
        *("/_stcore/host-config", "/static/js/none.js", "/media/none", "/clip/none", "/../x"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_every_response_tells_the_browser_whose_page_it_is(
    site: Site, method: str, path: str
) -> None:
    headers = _ask(site, method, path)[0].headers
    for name, value in HEADERS.items():
        assert headers.get_all(name) == [value]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"


def test_a_clip_and_streamlit_s_own_files_are_guarded_too(site: Site) -> None:
    (script,) = re.findall(rb'src="\.(/static/js/index[^"]+)"', _ask(site, "GET", "/")[1])
    for path in (_clip(site)[0], script.decode()):
        response, body = _ask(site, "GET", path)
        assert response.status == 200
        assert body
        assert {name: response.headers[name] for name in HEADERS} == HEADERS


def test_entering_spends_an_invitation_and_hides_the_code(site: Site) -> None:
    (invite,) = site.database.invite(1)
    response, _ = _ask(site, "POST", "/enter", f"invite={invite}")
    assert (response.status, response.headers["Location"]) == (303, "/?welcome=1")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"{RATER_COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    code = cookie.partition("=")[2].partition(";")[0]
    assert site.database.rater(code).name.startswith("r-")
    response, _ = _ask(site, "POST", "/enter", f"invite={invite}")
    assert response.headers["Location"] == "/?problem=invite"
    assert "Set-Cookie" not in response.headers
    assert _ask(site, "POST", "/enter", f"code={code}")[0].headers["Location"] == "/"
    assert _ask(site, "POST", "/enter", "code=%00")[0].headers["Location"] == "/?problem=code"


def test_an_admin_code_opens_no_page_of_a_rater_and_the_other_way_round(site: Site) -> None:
    (admin,) = site.database.invite(1, admin=True)
    code = site.database.join(site.database.invite(1)[0])
    response, _ = _ask(site, "POST", "/enter", f"admin={admin}")
    assert response.headers["Set-Cookie"].startswith(f"{ADMIN_COOKIE}={admin}")
    for body in (f"admin={code}", f"code={admin}", f"invite={admin}"):
        response, _ = _ask(site, "POST", "/enter", body)
        assert "problem=" in response.headers["Location"]
        assert "Set-Cookie" not in response.headers


def test_forms_of_other_sites_and_long_ones_are_refused(site: Site) -> None:
    (invite,) = site.database.invite(1)
    response, _ = _ask(site, "POST", "/enter", f"invite={invite}", Sec_Fetch_Site="cross-site")
    assert response.status == 403
    assert _ask(site, "POST", "/enter", "invite=" + "0" * 5000)[0].status == 413
    assert _ask(site, "GET", "/enter")[0].status != 303
    assert site.database.join(invite)  # it was not spent


def test_leaving_forgets_the_code_and_withdrawing_deletes(site: Site) -> None:
    code = site.database.join(site.database.invite(1)[0])
    cookie = f"{RATER_COOKIE}={code}"
    response, _ = _ask(site, "POST", "/leave", Cookie=cookie)
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert site.database.rater(code)
    for _ in range(2):  # twice is no fault
        response, _ = _ask(site, "POST", "/leave", "withdraw=1", Cookie=cookie)
        assert response.headers["Location"] == "/?left=withdrawn"
    assert _ask(site, "POST", "/enter", f"code={code}")[0].headers["Location"] == "/?problem=code"


def test_a_port_that_is_taken_is_told(site: Site) -> None:
    port = urlsplit(site.base).port
    assert port is not None
    with pytest.raises(CannotRun, match=f"port {port}.*another --port"):
        serve(Served(study=site.folder), host="127.0.0.1", port=port)


def test_what_cannot_be_served_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--leaderboard"):
        serve(Served(), host="127.0.0.1", port=0)
    with pytest.raises(CannotRun, match="is no study"):
        serve(Served(study=tmp_path), host="127.0.0.1", port=0)
    with pytest.raises(CannotRun, match=r"no file .*x\.csv"):
        serve(Served(tables=(tmp_path / "x.csv",)), host="127.0.0.1", port=0)


def test_ctrl_c_ends_the_server_and_frees_the_port(tmp_path: Path) -> None:
    table = ROOT / "leaderboards" / "skyreels-a2-table-1.csv"
    command = [sys.executable, "-m", "a2bench", "study", "serve", "--port", "0"]
    command += ["--leaderboard", str(table)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline()
        assert address.startswith("leaderboard: http://localhost:")
        port = urlsplit(address.split()[1]).port
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == ""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))
