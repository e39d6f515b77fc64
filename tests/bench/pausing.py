"""Measuring a door by itself: what comes behind it would share the machine."""

from infra.local.pipeline import Pipeline


def pause_order_intake(pipeline: Pipeline) -> None:
    """From now on nobody takes orders from the intake queue."""
    functions = pipeline.client("lambda")
    [mapping] = functions.list_event_source_mappings(FunctionName=pipeline.function_name("order_intake"))[
        "EventSourceMappings"
    ]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
