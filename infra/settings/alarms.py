"""The settings of alarms: who is told, and from what on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from infra.settings.model import EmailAddress, SettingsModel

Count = Annotated[int, Field(ge=1)]
Minutes = Annotated[int, Field(ge=1, le=24 * 60)]
Percent = Annotated[float, Field(gt=0, le=100)]


class AlarmSettings(SettingsModel):
    """Who is told of alarms, besides those who subscribe to their topics, and from what on each rings.

    ``email`` is told of all that informs, ``page_email`` of what pages; each address has to confirm it. What may never
    happen, such as an execution that fails, rings at the first.

    ``queue_minutes``: how old the oldest message of a queue is, which is more than a postponed one waits.
    ``queue_depth``: messages that wait in a queue that every order passes. ``function_errors``, ``function_throttles``,
    ``table_throttles``, ``executions_throttled``, ``sagas_started`` by the sweep, ``api_errors``: within five minutes.
    ``concurrent_executions``: of all functions of the account, to be set to four fifths of its quota.
    ``stream_minutes``: how far a function is behind the table's stream. ``outcome_minutes``: how long an order has no
    outcome, or a request to cancel it no answer. ``paused_hours``: for how long something is paused.
    ``api_refused_percent``: of the orders placed over HTTP. ``bounce_percent``, ``complaint_percent``: of the e-mails;
    from the defaults on, SES reviews an account (Amazon SES Developer Guide, "Creating reputation monitoring alarms").
    """

    email: EmailAddress | None = None
    page_email: EmailAddress | None = None
    queue_minutes: Annotated[int, Field(ge=16, le=24 * 60)] = 20
    queue_depth: Count = 10_000
    function_errors: Count = 5
    function_throttles: Count = 10
    concurrent_executions: Count = 800
    table_throttles: Count = 10
    executions_throttled: Count = 10
    outcome_minutes: Annotated[int, Field(ge=1, le=12 * 60)] = 30
    sagas_started: Count = 5
    stream_minutes: Minutes = 15
    audit_copy_minutes: Minutes = 15
    paused_hours: Annotated[int, Field(ge=1, le=24)] = 6
    api_errors: Count = 5
    api_latency_ms: Count = 3_000
    api_refused_percent: Percent = 50
    bounce_percent: Percent = 5
    complaint_percent: Percent = 0.1
