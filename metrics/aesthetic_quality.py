"""Aesthetic quality: the LAION predictor on CLIP ViT-L/14, as VBench uses it.

``mean(predictor(clip(frame))) / 10`` over all frames; unbounded in principle, in practice 0.3 to
0.75, higher is better. Source: SkyReels-A2, section 2.5; VBench, aesthetic quality.
"""

from __future__ import annotations

from a2bench.metric import MetricInfo

INFO = MetricInfo(
    name="aesthetic_quality",
    version="1",
    dimension="visual quality",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    needs=("video",),
    licence="Apache-2.0",
    source="arXiv:2504.02436, section 2.5; VBench, aesthetic quality",
)
