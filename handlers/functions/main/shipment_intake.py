"""Shipment intake: what carriers report about parcels becomes events."""

from handlers.functions.doors import parties
from handlers.functions.resources import dead_letter_queue, event_store
from handlers.intake.messages import intake
from handlers.shipping.shipment_reports import report

handler = intake({"ShipmentStatusReported": report}, event_store(), parties(), dead_letter_queue())
