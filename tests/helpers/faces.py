"""Faces that are given, for metrics that read them."""

from __future__ import annotations

from a2bench.metrics.extractors.faces import Face, FaceFrame, Faces

Frames = list[list[tuple[float, ...]]]


def faces(
    frames: Frames,
    characters: int = 1,
    faceless: tuple[str, ...] = (),
    stranger: float = 0.0,
) -> Faces:
    """Faces given as the similarities of each face of each frame to each character."""
    return Faces(
        frames=tuple(
            FaceFrame(
                index=10 * i,
                faces=tuple(Face(box=(0, 0, 9, 9), score=1.0, similarities=s) for s in frame),
            )
            for i, frame in enumerate(frames)
        ),
        characters=characters,
        faceless=faceless,
        stranger=stranger,
    )
