"""What every response tells the browser: whose pages these are, and what they may load."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' blob:",  # Streamlit makes modules of its components' scripts
        "style-src 'self' 'unsafe-inline'",  # its styles are made while it runs
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",  # the player holds whole videos
        "font-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # an invitation's token stands in its address
}


def guarded(app: ASGIApp) -> ASGIApp:
    """The application with ``HEADERS`` on all of its responses, also Streamlit's own and errors."""
    from starlette.datastructures import MutableHeaders

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await app(scope, receive, tell)

    return answer
