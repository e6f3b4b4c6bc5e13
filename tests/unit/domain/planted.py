"""Secrets that tests plant. All are made up; none was ever valid."""

from __future__ import annotations

HEX = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
AZ = "aB3dE5gH7jK9mN2pQ4rS6tU8"

# what it is: (a text with the secret in it, the secret)
PLANTED: dict[str, tuple[str, str]] = {
    "Dify app key": (f"use app-{AZ} here", f"app-{AZ}"),
    "Dify dataset key": (f"key: dataset-{AZ}", f"dataset-{AZ}"),
    "OpenAI": (f"sk-{AZ}{AZ}", f"sk-{AZ}{AZ}"),
    "OpenAI project": (f"'sk-proj-{AZ}_{AZ}'", f"sk-proj-{AZ}_{AZ}"),
    "Anthropic": (f"sk-ant-api03-{AZ}-{AZ}", f"sk-ant-api03-{AZ}-{AZ}"),
    "GitHub": (f"git clone https://x:ghp_{AZ}{AZ}@github.com/a/b", f"ghp_{AZ}{AZ}"),
    "GitHub fine-grained": (f"github_pat_{AZ}_{AZ}", f"github_pat_{AZ}_{AZ}"),
    "GitLab": (f"glpat-{AZ}", f"glpat-{AZ}"),
    "AWS key id": ("id AKIAIOSFODNN7EXAMPLE.", "AKIAIOSFODNN7EXAMPLE"),
    "AWS secret": (f'aws_secret_access_key = "{AZ}/{AZ}"', f"{AZ}/{AZ}"),
    "Google": (f"AIzaSy{AZ}{AZ}", f"AIzaSy{AZ}{AZ}"),
    "Slack bot": (f"xoxb-1234567890-{AZ}", f"xoxb-1234567890-{AZ}"),
    "Slack app": (f"xapp-1-A0123-{AZ}", f"xapp-1-A0123-{AZ}"),
    "Slack webhook": (
        f"https://hooks.slack.com/services/T0123/B0123/{AZ}",
        f"services/T0123/B0123/{AZ}",
    ),
    "Stripe": (f"sk_live_{AZ}", f"sk_live_{AZ}"),
    "JWT": (f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx{AZ}.{AZ}", f"eyJzdWIiOiIx{AZ}"),
    "private key": (
        f"-----BEGIN RSA PRIVATE KEY-----\n{AZ}\n{AZ}\n-----END RSA PRIVATE KEY-----\nend",
        f"{AZ}\n{AZ}",
    ),
    "private key without its end": (f"-----BEGIN PRIVATE KEY-----\n{AZ}", AZ),
    "bearer": (f"curl -H 'Authorization: Bearer {HEX}'", HEX),
    "bearer in code": (f'h = {{"Authorization": "Bearer {AZ}"}}', AZ),
    "basic": ("Authorization: Basic YWxpY2U6aHVudGVyMg==", "YWxpY2U6aHVudGVyMg=="),
    "URL user": ("postgres://alice:hunter2@db/x", "hunter2"),
    "URL parameter": (f"https://a.example/?q=1&api_key={AZ}&x=2", AZ),
    "assigned in code": ('api_key = "hunter2hunter"', "hunter2hunter"),
    "assigned in JSON": ('{"password": "correct-horse"}', "correct-horse"),
    "assigned bare": ("DB_PASSWORD=difyai123456", "difyai123456"),
    "hex after a word": (f"the token is {HEX}", HEX),
    "header line": ("X: 1\nAuthorization: opensesame\nY: 2", "opensesame"),
    "Telegram": (f"bot 123456789:AA{AZ}{AZ}", f"123456789:AA{AZ}{AZ}"),
    "SendGrid": (f"SG.{AZ}.{AZ}", f"SG.{AZ}.{AZ}"),
    "Hugging Face": (f"hf_{AZ}{AZ}", f"hf_{AZ}{AZ}"),
    "Tavily": (f"tvly-{AZ}", f"tvly-{AZ}"),
}
