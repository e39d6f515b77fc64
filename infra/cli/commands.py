"""Every command: its name, the function that runs it, and the first line of its help."""

from typing import NamedTuple


class Command(NamedTuple):
    """A command of the command line. ``function`` names its module and the function in it."""

    name: str
    function: str
    summary: str


COMMANDS = (
    Command("submit", "infra.cli.submit_command:submit", "Submit one order, or a file of them."),
    Command("status", "infra.cli.order_commands:status", "Show the state of an order, or of the pipeline."),
    Command("history", "infra.cli.order_commands:history", "Show all events of an order, on whatever stream."),
    Command("orders", "infra.cli.order_commands:orders", "List the orders with a status, newest first."),
    Command("tail", "infra.cli.tail_command:tail", "Show events as they happen, until Ctrl-C."),
    Command("stock", "infra.cli.counter_commands:stock", "Show how much of SKUs is available, reserved and shipped."),
    Command("sales", "infra.cli.counter_commands:sales", "Show the sales of a day, by currency or by product."),
    Command("customer", "infra.cli.counter_commands:customer", "Show how much a customer has ordered."),
    Command("replay", "infra.cli.projection_commands:replay", "Deliver archived events to projections again."),
    Command("rebuild", "infra.cli.rebuild_command:rebuild", "Rebuild a projection beside the live one."),
    Command("rollback", "infra.cli.projection_commands:rollback", "Return to the previous generation of a projection."),
    Command("generations", "infra.cli.projection_commands:generations", "Show the generations of projections."),
    Command(
        "dead-letters", "infra.cli.dead_letter_commands:dead_letters", "List the dead-letter messages, or show one."
    ),
    Command("redrive", "infra.cli.dead_letter_commands:redrive", "Send dead-letter messages back to their queues."),
    Command("pause", "infra.cli.pause_commands:pause", "Let the messages of a function wait in their queue."),
    Command("unpause", "infra.cli.pause_commands:unpause", "Feed a paused function again."),
    Command(
        "preflight",
        "infra.cli.preflight_command:preflight",
        "Compare the account's quotas with what the pipeline needs.",
    ),
    Command("plan", "infra.cli.plan_command:plan", "Say what a rate of orders needs, and what it costs."),
    Command("doctor", "infra.cli.doctor:doctor", "Find what is wrong, and name the commands that repair it."),
    Command("republish", "infra.cli.repair_commands:republish", "Publish the events of streams once more."),
    Command("resume", "infra.cli.repair_commands:resume", "Start the saga of orders that are stalled."),
    Command("erase", "infra.cli.erase_command:erase", "Erase everything personal about a customer or an order."),
    Command("export", "infra.cli.export_command:export", "Print all that is held on a customer, as JSON."),
    Command(
        "restore-drill",
        "infra.cli.restore_drill_command:restore_drill",
        "Restore the tables under other names, and check them.",
    ),
    Command("shop", "infra.cli.shop_command:shop", "Add a shop to the settings of an environment."),
    Command("recount", "infra.cli.repair_commands:recount", "Set stock levels to what the log says."),
)
