"""Problem details: what was wrong with a request, for programs and people.

Source: RFC 9457.
"""

from http import HTTPStatus

from pydantic import BaseModel

CONTENT_TYPE = "application/problem+json"


class Problem(BaseModel):
    """A problem; ``detail`` is a sentence about this very request."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Refusal(Exception):
    """A request that is answered with a problem."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem(status, detail)


def problem(status: HTTPStatus, detail: str) -> Problem:
    """The problem of that status."""
    return Problem(title=status.phrase, status=status.value, detail=detail)
