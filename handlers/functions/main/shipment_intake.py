"""Shipment intake: what carriers report about parcels becomes events."""

from functools import partial

from handlers.functions.resources import dead_letter_queue, event_store
from handlers.intake.messages import intake
from handlers.shipping.shipment_reports import report

handler = intake({"ShipmentStatusReported": partial(report, event_store())}, dead_letter_queue())
