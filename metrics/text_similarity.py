"""Text similarity: does the video show what the prompt says?

The cosine of ViCLIP's embeddings of the video (8 frames) and of the prompt; range [-1, 1], in
practice 0.2 to 0.3, higher is better. The paper's tables show it times 100. Source: SkyReels-A2,
section 2.5 (prompt following); VBench, overall consistency.
"""

from __future__ import annotations

from a2bench.metric import MetricInfo

INFO = MetricInfo(
    name="text_similarity",
    version="1",
    dimension="prompt following",
    low=-1.0,
    high=1.0,
    higher_is_better=True,
    needs=("video", "prompt"),
    licence="Apache-2.0",
    source="arXiv:2504.02436, section 2.5; VBench, overall consistency",
)
