"""Secrets that tell themselves: tokens whose prefix their issuer has published, and private keys.

No library holds this table in a form that fits: detect-secrets 1.5.0 is of May 2024, takes 0.3 s to
import with its HTTP client, does not know Hugging Face, Google or OpenAI's keys of today, and its
detectors of entropy take every sha256 and path for a secret.
"""

from __future__ import annotations

import re

from a2bench.redaction.names import MARK

_PUBLISHED = (
    # docs.github.com/authentication: GitHub's token formats
    r"gh[opsur]_[A-Za-z0-9]{20,}",
    r"github_pat_\w{20,}",
    # docs.gitlab.com/security/tokens: token prefixes
    r"gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct)-[\w.-]{16,}",
    # huggingface.co/docs/hub/security-tokens
    r"(?:hf|api_org)_[A-Za-z0-9]{16,}",
    # platform.openai.com/docs/api-reference/authentication, docs.anthropic.com, openrouter.ai/docs
    r"sk-(?=[\w-]{0,64}?\d)[\w-]{16,}",
    # docs.stripe.com/keys
    r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}",
    # docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers: unique ID prefixes
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    # cloud.google.com/docs/authentication/api-keys, and its OAuth tokens and client secrets
    r"AIza[\w-]{30,}",
    r"ya29\.[\w-]{20,}",
    r"GOCSPX-[\w-]{20,}",
    # docs.slack.dev/authentication/tokens
    r"(?:xox[a-z]|xapp)-[\w-]{10,}",
    r"hooks\.slack\.com/services/[\w/]+",
    # docs.discord.com/developers/resources/webhook; core.telegram.org/bots/api; Microsoft Teams
    r"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/[\w/-]+",
    r"api\.telegram\.org/(?:file/)?bot[\w:%-]+",
    r"\d{8,10}:[\w-]{35}(?![\w-])",
    r"[\w-]{1,64}\.webhook\.office\.com/\w+/[\w@/-]+",
    # replicate.com/docs/reference/http: authentication; docs.api.nvidia.com; console.groq.com/docs
    r"r8_[A-Za-z0-9]{20,}",
    r"nvapi-[\w-]{20,}",
    r"gsk_[A-Za-z0-9]{20,}",
    # docs.npmjs.com/about-access-tokens; pypi.org/help: API tokens
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-AgE[\w-]{20,}",
    # RFC 7519: two JSON objects in base64url, and a signature
    r"(?<!-)eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?",
)
_TOKEN = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_PUBLISHED)})")
_PRIVATE_KEY = re.compile(  # RFC 7468; OpenPGP's armour in RFC 9580
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_END = re.compile(r"-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----")
_BODY = re.compile(  # read backwards
    r"(?:[ \t\r\n\"']|n\\+|r\\+)*(?:[\w+/=]{1,80}(?:(?:[ \t]*\n\r?|(?:n\\+(?:r\\+)?))[ \t]*|\Z))*"
    r"(?:[\w+/=]{20,80})?"
)


def without_tokens(text: str) -> str:
    """The text without what is a secret by its own form."""
    return _TOKEN.sub(MARK, _without_keys(text))


def _without_keys(text: str) -> str:
    """The text without private keys, also without one whose beginning or end is missing.

    What stands above an end that has no beginning is of the key as far as it is of base64.
    """
    text = _PRIVATE_KEY.sub(MARK, text)
    parts, at = [], 0
    for end in _END.finditer(text):
        above = text[at : end.start()]
        held = _BODY.match(above[::-1])
        body = above[len(above) - held.end() :].lstrip() if held else ""
        parts += [above[: len(above) - len(body)], MARK]
        at = end.end()
    return "".join([*parts, text[at:]])
