"""What proofs share with the end-to-end tests: the deployed pipeline, and a shop that calls it."""

from tests.e2e.conftest import pipeline as pipeline
from tests.e2e.conftest import shop as shop
