"""The rebuild of projections: the steps of its state machine."""

from handlers.functions.resources import event_store, setting
from handlers.projections.rebuild.entry import rebuilding
from handlers.projections.rebuild.steps import Rebuild
from handlers.runtime import aws

handler = rebuilding(Rebuild(event_store(), aws.eventbridge(), setting("ARCHIVE_ARN"), setting("ORDERS_BUS_ARN")))
