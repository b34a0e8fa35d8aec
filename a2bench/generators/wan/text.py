"""Text as Wan's transformer reads it: the states of UMT5."""

from __future__ import annotations

import html
import re
from typing import Any

import torch
from torch import Tensor

TEXT_TOKENS = 512


def text_tokens(encoder: Any, tokenizer: Any, text: str, device: torch.device) -> Tensor:
    """The states of a text, (1, 512, C), zero after its end; what is over 512 tokens is cut off."""
    told = tokenizer(
        clean(text),
        padding="max_length",
        max_length=TEXT_TOKENS,
        truncation=True,
        return_attention_mask=True,
        return_tensors="pt",
    )
    seen = told["attention_mask"].to(device)
    states: Tensor = encoder(told["input_ids"].to(device), attention_mask=seen).last_hidden_state
    ended: Tensor = states * seen[..., None]
    return ended


def count_tokens(tokenizer: Any, text: str) -> int:
    """How many tokens a text has, those over 512 too."""
    return len(tokenizer(clean(text), verbose=False)["input_ids"])


def clean(text: str) -> str:
    """The text as the model was given it in training: mojibake and entities undone, one line."""
    import ftfy

    whole = html.unescape(html.unescape(ftfy.fix_text(text)))
    return re.sub(r"\s+", " ", whole).strip()
