"""Planted secrets: each form in which a command line, a program or a service may hold one."""

from __future__ import annotations

SECRET = "swordfish"
"""An ordinary word: only its place tells that it is secret."""
WORDS = (
    ("--api-key", SECRET),
    ("--pass", SECRET),
    (f"--passwd={SECRET}",),
    ("--pw", SECRET),
    ("--key", SECRET),
    ("-key", SECRET),
    ("--auth", f"me:{SECRET}"),
    ("--hf-token", SECRET),
    ("--accessToken", SECRET),
    ("--password", f"p q {SECRET}"),
    ("--password", f"p'q {SECRET}"),
    (f"--password=p q {SECRET}",),
    ("-u", f"me:{SECRET}"),
    (f"--user=me:{SECRET}",),
    ("-u", f"https://me:{SECRET}@host"),
    ("-H", f"Authorization: Bearer {SECRET}"),
    ("--header", f"X-Api-Key: {SECRET}"),
    ("-H", f"Cookie: a=1; sid={SECRET}"),
    (f"--header=Authorization: Basic {SECRET}",),
    ("env", f"AWS_SECRET_ACCESS_KEY={SECRET}", "program"),
    ("-e", f"ACCESS_KEY={SECRET}"),
    ("-e", f"SSHPASS={SECRET}"),
    ("--config", f'{{"credentials": "{SECRET}"}}'),
    ("--url", f"https://me:{SECRET}@host/v1"),
    ("--url", f"https://{SECRET}@host/v1"),
    ("--url", f"postgresql://me:p/{SECRET}@host/v1"),
    ("--url", f"https://host/v1?a=1&X-Amz-Signature={SECRET}&b=2"),
    ("--url", f"https://host/v1?sv=1&sig={SECRET}"),
    ("--url", f"https://host/v1#access_token={SECRET}"),
    ("sh", "-c", f"curl --pass '{SECRET} x' -u me:{SECRET} https://host"),
)
"""Command lines."""
PRINTED = (
    f"DB_PASS={SECRET}",
    f"DB_PASS=p q {SECRET}",
    f"AUTH={SECRET}",
    f"COOKIE: a=1; b={SECRET}",
    f"{{'token': '{SECRET}', 'seed': 3}}",
    f'{{"session_id": "a {SECRET}"}}',
    f'{{\\"apiKey\\": \\"a {SECRET}\\"}}',
    f"Namespace(password='a {SECRET}', seed=3)",
    f"['curl', '--pass', 'a {SECRET}', '-u', 'me:{SECRET}']",
    f"os.environ['SECRET'] = '{SECRET}'",
    f"> Authorization: Bearer {SECRET}",
    f"GET /v1/file?a=1&sig={SECRET}&b=2 HTTP/1.1",
    f"403 for https://host/v1?Expires=1&Signature={SECRET}&b=2",
    f"403 for gs://host/v1?X-Goog-Signature={SECRET}",
    f"Incorrect API key provided: {SECRET}1234.",
)
"""What programs print."""
TOKENS = (
    f"hf_{SECRET * 3}",
    f"sk-proj-{SECRET}1234567",
    f"ghp_{SECRET * 4}",
    f"github_pat_{SECRET * 3}",
    f"glpat-{SECRET * 3}",
    f"AKIA{'ABCDEFGH' * 2}",
    f"AIza{SECRET * 4}",
    f"xoxb-1234-{SECRET}",
    f"r8_{SECRET * 3}",
    f"eyJ{SECRET}.eyJ{SECRET}.{SECRET}",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----",
)
"""Secrets by their own form, wherever they stand."""
ORDINARY = (
    ("--steps", "50", "--seed", "3", "--guidance", "5.0"),
    ("monkey=3", "keyframes=5", "--keyboard", "us"),
    ("--tokens", "77", "max_tokens=100", "--maxTokens=5"),
    ("--token-limit", "77", "--tokenizer", "t5", "--key-frames", "3"),
    ("--seed-key", "case", "--cache-key=shots", "sort_key=name"),
    ("--pass", "2", "--two-pass", "fast", "--passes", "3", "--low-pass", "3k"),
    ("--use-token", "--steps", "50"),
    ("--author", "me", "--session-length", "5", "--design", "a"),
    ("--signal", "9", "--compass", "north", "--signature-version", "v4x"),
    ("--user", "1000:1000", "--size", "832:480", "-u", "https://host/a"),
    ("--url", "https://host:8080/a/@b/c?page=2&monkey=x#top"),
    ("--prompt", "a secret garden, a token of love, the key to it: a monkey"),
    ("--out", "/data/sk-image-tools/hf_transfer/x.mp4"),
    ("--weights", "5eff25ba48134939895885d632252a0b5eff25ba48134939895885d632252a0b"),
    ("--no-auth", "--key-path", "a/key.pem", "--password-file", "/run/secrets/x"),
)
"""Command lines without a secret."""
SAID = (
    "missing key: prompt",
    "KeyError: 'prompt'",
    "unexpected token at line 3",
    "--key requires a value",
    "Token indices sequence length is longer than 77",
    "pass 1: encoded 81 frames",
    "signature: (case, seed)",
    "loading https://huggingface.co/me/model/resolve/main/x.safetensors?download=true",
    "basic authentication is off",
    "PWD=/home/me\nOLDPWD=/home",
)
"""What programs print without a secret."""
