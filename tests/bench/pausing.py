"""Measuring a part by itself: what comes behind it would share the machine."""

from infra.local.pipeline import Pipeline


def pause(pipeline: Pipeline, *keys: str) -> None:
    """From now on nothing reaches these functions: neither from their queues, nor from the table's stream."""
    functions = pipeline.client("lambda")
    for key in keys:
        for mapping in functions.list_event_source_mappings(FunctionName=pipeline.function_name(key))[
            "EventSourceMappings"
        ]:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
