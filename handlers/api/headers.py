"""Headers that tell what may be done with an answer; the function and the gateway give the same.

Source: RFC 9111 (Cache-Control, Vary), RFC 6797 (Strict-Transport-Security), Fetch (X-Content-Type-Options) and Content
Security Policy level 3.
"""

from collections.abc import Mapping

_ALWAYS = {"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=31536000"}

PRIVATE: Mapping[str, str] = {"Cache-Control": "private, no-store", **_ALWAYS}
"""Of what is one caller's, and of every error."""

PUBLIC: Mapping[str, str] = {"Cache-Control": "public, max-age=3600", "Vary": "Accept-Encoding", **_ALWAYS}
"""Of documents, which are the same for everybody."""

PAGE: Mapping[str, str] = {
    **PUBLIC,
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
"""Of the page that shows them: it runs its own scripts, and talks to its own API."""
