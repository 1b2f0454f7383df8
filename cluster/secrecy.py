"""Recognises secrets, which scripts, manifests and logs would show to others."""

import re

_WORDS = re.compile(
    r"(?i)(^|[-_])(secret|token|password|passwd|passphrase|(api|access)?key|sig)s?([-_]|$)"
)
_ELSEWHERE = re.compile(r"(?i)_(file|path|dir)$")
_GIVEN = re.compile(r"([\w-]+)=(?![\"']?[$`])(?=[\"']?[^\s\"'&;])")
# A secret may contain slashes. A path follows a port. A long user name is a token.
_USER = re.compile(r"://[^/\s@]*:(?!\d{2,5}/)[^\s@]*@|https?://[^/\s@]{20,}@")


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret; the path of one does not count.

    >>> [is_secret(name) for name in ("AWS_SECRET_ACCESS_KEY", "MONKEY_PATCH", "RAY_TOKEN_PATH")]
    [True, False, False]
    """
    return bool(_WORDS.search(name)) and not _ELSEWHERE.search(name)


def shows_secret(text: str) -> bool:
    """Whether a URI or a shell command contains a secret; one that it looks up does not count.

    >>> [shows_secret(text) for text in ("s3://key:secret@bucket", "s3://bucket/a@b")]
    [True, False]
    >>> [shows_secret(text) for text in ("export API_KEY=abc", "export API_KEY=$(cat ~/key)")]
    [True, False]
    >>> shows_secret("--export=TOKEN=abc"), shows_secret("git+https://host:8443/a/b@v1")
    (True, False)
    """
    given = (match[1] for match in _GIVEN.finditer(text))
    return bool(_USER.search(text)) or any(is_secret(name) for name in given)
