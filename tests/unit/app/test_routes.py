"""What the server gives beside the pages."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from a2bench.app.routes import media_route
from a2bench.keys import file_sha256
from tests.helpers.makers import write_video


def test_a_video_that_was_replaced_is_not_given(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4")
    name = f"{file_sha256(path)}.mp4"
    route = media_route({name: path, "a.mp4": path})
    assert isinstance(route, Route)

    def get(asked: str) -> Response:
        scope = {"type": "http", "method": "GET", "headers": [], "path_params": {"name": asked}}
        response: Response = route.endpoint(Request(scope))
        return response

    assert isinstance(get(name), FileResponse)
    write_video(path, 12)
    assert (get(name).status_code, get(name).body) == (404, b"not the video that was recorded")
    assert isinstance(get("a.mp4"), FileResponse)  # of a study, which has random names
    assert get("../v.mp4").status_code == 404
