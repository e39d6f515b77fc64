"""What the layers leave out of the libraries, and why. Data only: `infra.package.libraries` applies it.

Whole files are left out and none is changed. Every entry must fit something in the libraries as locked, and nothing
that stays may import what is gone: otherwise the build fails and names it, so that a new version of a library cannot
quietly make an entry wrong.
"""

from collections.abc import Mapping, Sequence

PACKAGES_LEFT_OUT = {
    "boto3": "the functions make low-level clients with botocore itself, to which boto3 adds only import time",
    "s3transfer": "of use to boto3 alone",
    "pycparser": "of use to cffi alone, where it compiles bindings",
}

# The services whose models are shipped, and the operations left in them: all that the functions call.
OPERATIONS: Mapping[str, Sequence[str]] = {
    "dynamodb": (
        *("BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "Query"),
        *("DeleteItem", "Scan", "TransactWriteItems", "UpdateItem"),
    ),
    "events": ("DescribeReplay", "PutEvents", "StartReplay"),
    "lambda": ("ListEventSourceMappings",),
    "s3": ("CopyObject", "DeleteObject", "GetObject", "ListObjectVersions", "ListObjectsV2", "PutObject"),
    "secretsmanager": ("GetSecretValue",),
    "sesv2": ("SendEmail",),
    "sqs": ("SendMessage", "SendMessageBatch"),
    "stepfunctions": ("StartExecution",),
}

_POWERTOOLS = "aws_lambda_powertools"
_UTILITIES = f"{_POWERTOOLS}/utilities"

# Path patterns, and why the functions do without those files.
LEFT_OUT: Mapping[str, str] = {
    "**/*.pyi": "for type checkers",
    "**/*.c": "source of what is compiled",
    ".lock": "uv's, while it installs",
    "bin/**": "command line tools",
    "botocore/data/**": "every AWS service there is (see OPERATIONS)",
    "dateutil/zoneinfo/**": "a copy of the time zone database; botocore asks for UTC and local time alone",
    "pydantic/mypy.py": "a mypy plugin",
    "pydantic/v1/**": "pydantic 1, for programs that have not moved on",
    "wrapt/_wrappers.*.so": "wrapt has the same in Python, and only a traced invocation loads it at all",
    f"{_UTILITIES}/auth_alpha/**": "not used",
    f"{_UTILITIES}/circuit_breaker/**": "not used",
    f"{_UTILITIES}/data_masking/**": "not used",
    f"{_UTILITIES}/feature_flags/**": "not used",
    f"{_UTILITIES}/idempotency/**": "not used",
    f"{_UTILITIES}/kafka/**": "not used",
    f"{_UTILITIES}/parameters/**": "not used",
    f"{_UTILITIES}/streaming/**": "not used",
}

# The same, of one package.
LEFT_OUT_OF: Mapping[str, Mapping[str, str]] = {
    "main": {f"{_POWERTOOLS}/event_handler/**": "routes HTTP, GraphQL and agents"},
    "api": {"cffi/**": "compiles bindings; what is compiled needs its backend alone"},
}

# Imports of what is left out, as `importing module imports name`, and why they are in order.
UNREACHED: Mapping[str, str] = {
    "dateutil.tz.tz imports dateutil.zoneinfo": "only for named time zones that the system does not have",
    "pydantic._internal._generate_schema imports pydantic.v1": "only for models of pydantic 1",
    "wrapt.__wrapt__ imports wrapt._wrappers": "falls back to Python",
}

# The same, in one package.
UNREACHED_IN: Mapping[str, Mapping[str, str]] = {
    "main": {
        f"{_POWERTOOLS}.shared.functions imports {_POWERTOOLS}.event_handler.openapi.compat": (
            "only for utilities that are left out too, which write models as JSON"
        ),
    },
    "api": {},
}
