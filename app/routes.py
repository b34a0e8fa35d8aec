"""The plain web routes beside the pages: the door, the way out, and the videos.

Streamlit talks over a websocket, which cannot set a cookie that scripts do not see. So a rater
enters by an ordinary form: ``POST /enter`` spends the invitation, or takes a personal code, and
answers with an ``HttpOnly`` cookie and a redirect. The token is then in no address any more.
Browsers send the cookie with the websocket's handshake; there the pages read it.

Media is served by names that are known beforehand, never by a path that a visitor wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from a2bench.app.board import MEDIA_PATH
from a2bench.errors import A2BenchError, StoreError
from a2bench.keys import file_sha256
from a2bench.study.database import Database
from a2bench.study.folder import MEDIA
from a2bench.study.votes import Forbidden

RATER_COOKIE = "a2bench_rater"
ADMIN_COOKIE = "a2bench_admin"
COOKIE_AGE_S = 180 * 24 * 3600
MOST_BYTES = 4096
"""Of a form: a token has 32 letters."""
_TYPES = {".mp4": "video/mp4", ".webm": "video/webm", ".png": "image/png", ".jpg": "image/jpeg"}


def study_media(folder: Path, database: Database) -> dict[str, Path]:
    """The files that the design names, by name."""
    design = database.design()
    names = [clip.media for item in design.items for clip in item.clips]
    names += [reference.media for shown in design.shown for reference in shown.references]
    return {name: folder / MEDIA / name for name in names}


def media_route(media: Mapping[str, Path]) -> BaseRoute:
    """``GET /clip/{name}``: a known file, whole or by HTTP range; 404 for any other name.

    A file that is named by its sha256 must still have it.
    """

    def clip(request: Request) -> Response:
        name = request.path_params["name"]
        path = media.get(name)
        if path is None or not path.is_file():
            return PlainTextResponse("no such file", status_code=404)
        stem, about = Path(name).stem, path.stat()
        if len(stem) == 64 and _sha256(path, about.st_size, about.st_mtime_ns) != stem:
            return PlainTextResponse("not the video that was recorded", status_code=404)
        headers = {"Cache-Control": "private, max-age=86400, immutable"}
        kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
        return FileResponse(path, media_type=kind, headers=headers)

    return Route(f"{MEDIA_PATH}/{{name}}", clip, methods=["GET", "HEAD"])


@lru_cache(maxsize=4096)
def _sha256(path: Path, size: int, changed_ns: int) -> str:
    """Of a file as it was at that time, so that a video is hashed once and not for each range."""
    del size, changed_ns
    return file_sha256(path)


def door_routes(database: Database) -> list[BaseRoute]:
    """``POST /enter`` with ``invite``, ``code`` or ``admin``, and ``POST /leave``.

    A fault leads back to the page with ``?problem=invite|code|admin|database``.
    """

    async def enter(request: Request) -> Response:
        return await _answered(request, lambda form: _enter(database, form, request))

    async def leave(request: Request) -> Response:
        return await _answered(request, lambda form: _leave(database, form, request))

    return [
        Route("/enter", enter, methods=["POST"]),
        Route("/leave", leave, methods=["POST"]),
    ]


async def _answered(request: Request, act: Callable[[dict[str, str]], Response]) -> Response:
    """The form of a page of ours, handled in a thread, for the database may wait."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return PlainTextResponse("this form is of another site", status_code=403)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return PlainTextResponse("too long", status_code=413)
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    form = {name: values[0].strip() for name, values in fields.items()}
    return await run_in_threadpool(act, form)


def _enter(database: Database, form: Mapping[str, str], request: Request) -> Response:
    try:
        if "admin" in form:
            if not database.is_admin(form["admin"]):
                return _back("/admin", problem="admin")
            return _remember(_back("/admin"), ADMIN_COOKIE, form["admin"], request)
        if "invite" in form:
            code = database.join(form["invite"])
            return _remember(_back("/", welcome="1"), RATER_COOKIE, code, request)
        code = form.get("code", "")
        database.rater(code)
        return _remember(_back("/"), RATER_COOKIE, code, request)
    except Forbidden:
        return _back("/", problem="invite" if "invite" in form else "code")
    except StoreError:
        return _back("/admin" if "admin" in form else "/", problem="database")


def _leave(database: Database, form: Mapping[str, str], request: Request) -> Response:
    """Forgets a code on this computer; with ``withdraw`` deletes all that its rater did."""
    if "admin" in form:
        response = _back("/admin")
        response.delete_cookie(ADMIN_COOKIE, path="/")
        return response
    response = _back("/", left="1")
    if "withdraw" in form:
        try:
            database.withdraw(request.cookies.get(RATER_COOKIE, ""))
        except Forbidden:
            pass  # withdrawn before, on another device
        except A2BenchError:
            return _back("/", problem="database")
        response = _back("/", left="withdrawn")
    response.delete_cookie(RATER_COOKIE, path="/")
    return response


def _back(path: str, **query: str) -> Response:
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, status_code=303)


def _remember(response: Response, name: str, code: str, request: Request) -> Response:
    response.set_cookie(
        name,
        code,
        max_age=COOKIE_AGE_S,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )
    return response
