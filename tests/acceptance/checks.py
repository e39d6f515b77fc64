"""Every check, in lanes: lanes run side by side, and the checks of one after the other, because they would meet."""

from collections.abc import Sequence

from tests.acceptance import access, archive, changes, delivery, signals
from tests.acceptance.check import Check

_NO_ROLES = "the emulator enforces the roles of functions alone"

LANES: Sequence[Sequence[Check]] = (
    (
        Check(
            "leading-keys",
            "each function may touch its own partition keys, and neither those of others nor what names none",
            access.table_keys,
            10,
            "the emulator's simulation of policies knows no keys",
        ),
        Check(
            "denied-requests",
            "the table itself denies a function's role the keys of others, and requests that name none",
            access.denied_requests,
            5,
            "which keys a request names, the emulator knows by a patch",
        ),
    ),
    (
        Check("roles", "rules, queues, gateway and sagas may do their part of an order", access.doors, 10, _NO_ROLES),
        Check("scopes", "a token may do what its scopes say, and no more", access.scopes, 5),
        Check(
            "refused-body",
            "who is refused for a body is told which field is wrong, in readable JSON",
            access.refused_body,
            5,
            "the emulator does not say what is wrong with a body",
        ),
        Check(
            "recursion-guard",
            "Lambda stops every function that calls itself, but for the import of files",
            access.recursion,
            5,
            "the emulator does not take the setting from the template",
        ),
    ),
    (
        Check(
            "rule-dead-letters",
            "an event that a rule cannot deliver becomes a dead-letter message, which can be redriven",
            delivery.dead_letters_of_rules,
            20,
            "the emulator's rules have one attempt and no dead-letter queue",
        ),
    ),
    (
        Check(
            "execution-redrive",
            "an execution that failed can be redriven",
            delivery.redriven_execution,
            10,
            "the emulator redrives no executions",
        ),
    ),
    (
        Check(
            "stream-failures",
            "a record of the stream that no retry could process is kept in the bucket of stream failures",
            delivery.stream_failures,
            20,
            "the emulator's stream mappings have neither retry limits nor on-failure destinations",
        ),
    ),
    (
        Check(
            "archive-lag",
            "a published event is in the archive, and so late",
            archive.archive_lag,
            30,
            "the emulator's archive has no delay",
        ),
    ),
    (
        Check(
            "filtered-replay",
            "a replay reaches the rules that FilterArns names, and no others",
            archive.filtered_replay,
            40,
            "the emulator ignores FilterArns",
        ),
    ),
    (
        Check(
            "alarm-notification",
            "who subscribes to the encrypted topic is told of an alarm",
            signals.notification,
            10,
            "the emulator enforces no policies of keys and topics",
        ),
    ),
    (Check("audit-copy", "an event is in the audit copy within minutes", signals.audit_copy, 15),),
    (
        Check(
            "alarms",
            "a message that nothing can process rings an alarm",
            signals.alarm_rings,
            25,
            "the emulator makes no metrics of logs",
        ),
    ),
    (
        Check(
            "deployment-turned-back",
            "a broken version is turned back before it takes all calls",
            changes.turned_back,
            30,
            "the emulator has no CodeDeploy",
        ),
        Check(
            "memory-sizes",
            "how long a start and an answer take with how much memory",
            changes.memory_sizes,
            20,
            "functions are processes of this machine, with all of its memory",
        ),
    ),
)

CHECKS = tuple(check for lane in LANES for check in lane)
