"""The whole pipeline on one machine, as one object."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.functions import FUNCTIONS
from infra.local.assembly import assembly as ours
from infra.local.deploy import deploy, outputs_of
from infra.local.emulator import process as emulators
from infra.local.emulator.process import Emulator
from infra.names import API_STAGE, LOCAL_ENVIRONMENT

_NAMES = {function.key: function.name for function in FUNCTIONS}


@dataclass(frozen=True)
class Pipeline:
    """The deployed pipeline: its emulator, and the outputs of its stack."""

    emulator: Emulator
    outputs: Mapping[str, str]

    @property
    def endpoint(self) -> str:
        """The URL of every API."""
        return self.emulator.endpoint

    def client(self, service: str) -> Any:
        """A boto3 client as the root of the emulator's account. Clients may be shared between threads."""
        return self.emulator.client(service)

    @property
    def table_name(self) -> str:
        """The table of the log and the views."""
        return self.outputs["TableName"]

    @property
    def intake_bus(self) -> str:
        """The bus for integration events."""
        return self.outputs["IntakeBusName"]

    @property
    def orders_bus(self) -> str:
        """The bus of domain events."""
        return self.outputs["OrdersBusName"]

    @property
    def state_machine_arn(self) -> str:
        """The order saga."""
        return self.outputs["StateMachineArn"]

    @property
    def express_state_machine_arn(self) -> str:
        """The express lane of the order saga."""
        return self.outputs["ExpressStateMachineArn"]

    @property
    def cancellation_state_machine_arn(self) -> str:
        """The saga that cancels confirmed orders."""
        return self.outputs["CancellationStateMachineArn"]

    @property
    def api_url(self) -> str:
        """The HTTP API, with its stage."""
        return f"{self.endpoint}/{API_STAGE}"

    def function_name(self, key: str) -> str:
        """The name of the function with that key in `infra.functions`."""
        return self.outputs[f"{_NAMES[key]}FunctionName"]

    def queue_url(self, key: str) -> str:
        """The queue in front of that function."""
        return self.outputs[f"{_NAMES[key]}QueueUrl"]

    def dead_letter_queue_url(self, key: str) -> str:
        """The dead-letter queue of that function."""
        return self.outputs[f"{_NAMES[key]}DeadLetterQueueUrl"]

    @property
    def all_queue_urls(self) -> dict[str, str]:
        """Every queue there is, by its name in the outputs: `OrderIntakeQueue`, `OrderIntakeDeadLetterQueue`."""
        return {name.removesuffix("Url"): url for name, url in self.outputs.items() if name.endswith("QueueUrl")}


@contextlib.contextmanager
def pipeline(
    port: int | None = None, *, assembly: Path | None = None, settings: Path | None = None
) -> Iterator[Pipeline]:
    """The pipeline for the time of the block, on `port` or a free one; nothing of it is left afterwards.

    `assembly` is a synthesized assembly; without it, ours is deployed, with `settings` if that file is given. Raises
    EmulatorError and DeploymentError.
    """
    with emulators.emulator(port) as emulator:
        yield deployed(emulator, LOCAL_ENVIRONMENT, assembly=assembly, settings=settings)


def up(port: int = emulators.DEFAULT_PORT) -> Pipeline:
    """Start the pipeline so that it outlives this process. Raises EmulatorError, if only because one is up already."""
    emulator = emulators.start(port)
    try:
        return deployed(emulator, LOCAL_ENVIRONMENT)
    except BaseException:
        emulators.stop()
        raise


def find() -> Pipeline | None:
    """The pipeline that `up` left running, if any."""
    emulator = emulators.find()
    return None if emulator is None else Pipeline(emulator, outputs_of(emulator, LOCAL_ENVIRONMENT))


def down() -> bool:
    """End the pipeline that `up` left running. False if there is none."""
    return emulators.stop()


def deployed(
    emulator: Emulator, environment: str, *, assembly: Path | None = None, settings: Path | None = None
) -> Pipeline:
    """Deploy an environment into the emulator, beside others that are there, from `assembly` or else from ours.

    Raises:
        DeploymentError: it cannot be synthesized, or not be created.
    """
    with contextlib.nullcontext(assembly) if assembly else ours(environment, settings) as folder:
        return Pipeline(emulator, deploy(emulator, folder, environment))
