"""What components with a network have in common."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


class LoadsAnew:
    """A dataclass that another process gets without what it loaded or remembers: its fields."""

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}  # type: ignore[arg-type]
