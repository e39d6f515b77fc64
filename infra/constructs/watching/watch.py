"""The watch: every layer of alarms on the pipeline, and the pages above them."""

from collections.abc import Iterable, Mapping

from constructs import Construct

from infra.constructs.api.gateway import HttpApi
from infra.constructs.backups import Backups
from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.shared_resources import SharedResources
from infra.constructs.state_machines import StateMachines
from infra.constructs.watching import api as of_api
from infra.constructs.watching import copies, email, executions, orders, queues, rules, tables
from infra.constructs.watching import functions as of_functions
from infra.constructs.watching.alarm import page
from infra.function_spec import DroppedFiles, Subscription
from infra.settings.alarms import AlarmSettings


class Watch(Construct):
    """Alarms of the pipeline: those on metrics inform, and two on alarms page.

    What a customer can bring about alone is in neither page: orders that are refused or cancelled, requests that are
    wrong or too many, messages that nobody can read. What we have taken, and do not bring to its end, is.

    Args:
        functions: all of them, by their keys.
        dead_letters: all of their queues.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        settings: AlarmSettings,
        *,
        functions: Mapping[str, PipelineFunction],
        dead_letters: Iterable[DeadLetterQueue],
        shared: SharedResources,
        machines: StateMachines,
        api: HttpApi,
        backups: Backups | None,
    ) -> None:
        super().__init__(scope, construct_id)
        all_of_them = [functions[key] for key in sorted(functions)]
        queued = [each for each in all_of_them if each.spec.queued]
        at_doors = [each for each in queued if _is_at_door(each)]
        order, cancellation = (saga.state_machine for saga in machines.sagas)
        express, sweep = machines.express.state_machine, functions["sweep"]

        of_api.watch_answers(self, api, settings)
        takes_none = of_api.watch_orders(self, api, settings)

        queues.watch_ages(self, queued, settings)
        queues.watch_depth(self, queued, settings)
        queues.watch_postponed(self, queued)
        stopped = queues.watch_intake(self, functions["order_intake"], settings)
        given_up = queues.watch_dead_letters(
            self, dead_letters, storing="dead_letters", lasting={"order_intake", "outbox"}
        )

        of_functions.watch_errors(self, all_of_them, settings)
        of_functions.watch_concurrency(self, settings)
        behind = of_functions.watch_stream(self, all_of_them, settings)

        tables.watch_throttles(self, shared.table.table_name, shared.vault.table_name, settings)

        not_handed_over = rules.watch_rules(self, [*at_doors, *machines.sagas], of="intake-and-sagas")
        rules.watch_rules(self, [shared.mail], of="email-reports")

        order_failed = executions.watch_saga(self, order, settings)
        cancellation_failed = executions.watch_saga(self, cancellation, settings)
        executions.watch_lane(self, express)
        executions.watch_started(self, [machines.rebuild.state_machine, machines.erasure.state_machine])
        executions.watch_throttled(self, [order, cancellation, express], settings)

        without_outcome = orders.watch_outcomes(self, sweep, settings)
        without_answer = orders.watch_cancellations(self, sweep, settings)
        orders.watch_started(self, sweep, settings)
        not_swept = orders.watch_runs(self, sweep)
        orders.watch_pauses(self, sweep, settings)

        email.watch_reputation(self, shared.mail, settings)

        copies.watch_audit_copy(self, shared.audit_copy.stream_name, settings)
        if backups:
            copies.watch_backups(self, backups.vault.backup_vault_name)

        page(
            self,
            "orders-do-not-flow",
            "Orders are not taken, or do not come to an outcome.",
            [
                *(takes_none, not_handed_over, stopped, given_up["order_intake"]),
                *(given_up["outbox"], behind["outbox"]),
                *(order_failed, without_outcome, not_swept),
            ],
        )
        # Sagas say by themselves what is to be paid back. Whether the books balance, the doctor says: an alarm on what
        # it finds belongs here, too.
        page(
            self,
            "money-does-not-balance",
            "Money of a cancelled order may not have been paid back.",
            [cancellation_failed, without_answer],
        )


def _is_at_door(function: PipelineFunction) -> bool:
    match function.spec.trigger:
        case Subscription(bus="intake") | DroppedFiles():
            return True
    return False
