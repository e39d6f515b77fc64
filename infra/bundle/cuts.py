"""What the functions' package leaves out of the libraries it ships, and why. Data only: `infra.bundle` applies it.

Every entry must meet something in the libraries as locked, and nothing that remains may import what is gone: otherwise
the build fails and names it, so that a new version of a library cannot quietly make an entry wrong.
"""

from collections.abc import Mapping, Sequence

PACKAGES_LEFT_OUT = {
    "boto3": "the functions make low-level clients with botocore itself, to which boto3 adds only import time",
    "s3transfer": "of use to boto3 alone",
}

# The services whose models are shipped, and the operations left in them: all that the functions call.
OPERATIONS: Mapping[str, Sequence[str]] = {
    "dynamodb": (
        *("BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "Query"),
        *("Scan", "TransactWriteItems", "UpdateItem"),
    ),
    "events": ("DescribeReplay", "PutEvents", "StartReplay"),
    "s3": ("CopyObject", "DeleteObject", "GetObject", "PutObject"),
    "sesv2": ("SendEmail",),
    "sqs": ("SendMessage", "SendMessageBatch"),
}

_POWERTOOLS = "aws_lambda_powertools"
_UTILITIES = f"{_POWERTOOLS}/utilities"
_EVENTS = f"{_POWERTOOLS}.utilities.data_classes"

# What the second part of a botocore event's name is, where its handlers concern the services above.
_HANDLED = ("", "dynamodb", "events", "eventbridge", "s3", "sesv2", "sqs")

# Path patterns, and why the functions do without those files.
LEFT_OUT: Mapping[str, str] = {
    "**/*.pyi": "for type checkers",
    "**/*.c": "source of what is compiled",
    "**/py.typed": "for type checkers",
    "*.dist-info/**": "for installers; nothing that is left asks for a distribution's metadata",
    ".lock": "uv's, while it installs",
    "bin/**": "command line tools",
    "pydantic/mypy.py": "a mypy plugin",
    "pydantic/v1/**": "pydantic 1, for programs that have not moved on",
    "pydantic/experimental/**": "not used",
    "botocore/docs/**": "renders documentation (see REPLACED)",
    "botocore/data/**": "every AWS service there is (see OPERATIONS)",
    "botocore/crt/auth.py": "signs with awscrt, which is not shipped",
    "botocore/stub.py": "for tests",
    "urllib3/contrib/emscripten/**": "for browsers",
    "urllib3/contrib/pyopenssl.py": "for a Python without a usable ssl",
    "urllib3/contrib/socks.py": "SOCKS proxies",
    "urllib3/http2/connection.py": "HTTP/2 needs a library that is not shipped",
    "dateutil/zoneinfo/**": "a copy of the time zone database; botocore asks for UTC and local time alone",
    "dateutil/rrule.py": "recurrence rules",
    "dateutil/easter.py": "the date of Easter",
    "dateutil/t*/win.py": "for Windows",
    "dateutil/tzwin.py": "for Windows",
    "wrapt/_wrappers.*.so": "wrapt has the same in Python, and only a traced invocation loads it at all",
    f"{_POWERTOOLS}/metrics/provider/datadog/**": "metrics go to CloudWatch",
    f"{_UTILITIES}/parser/envelopes/**": "events the functions do not receive",
    f"{_UTILITIES}/parser/models/**": "events the functions do not receive",
}

# The same, of one package.
LEFT_OUT_OF: Mapping[str, Mapping[str, str]] = {
    "main": {
        f"{_POWERTOOLS}/event_handler/**": "routes HTTP, GraphQL and agents",
        f"{_UTILITIES}/data_classes/a[lp][bi]_*.py": "events of HTTP routers",
        f"{_UTILITIES}/data_classes/bedrock_*.py": "events of HTTP routers",
        f"{_UTILITIES}/data_classes/lambda_*.py": "events of HTTP routers",
        f"{_UTILITIES}/data_classes/vpc_*.py": "events of HTTP routers",
    },
    "api": {
        "cffi/**": "compiles bindings; what is compiled needs none of it",
        "pycparser/**": "of use to cffi alone",
        f"{_POWERTOOLS}/event_handler/middlewares/schema_validation.py": "validates with a library that is not shipped",
    },
}

# Folders of which only these files and folders stay, and what the others are.
ONLY: Mapping[str, tuple[Sequence[str], str]] = {
    _UTILITIES: (
        ("__init__.py", "batch", "data_classes", "jmespath_utils", "parser", "typing"),
        "utilities the functions do not use",
    ),
    f"{_UTILITIES}/data_classes": (
        (
            *("__init__.py", "common.py", "shared_functions.py", "sqs_event.py", "dynamo_db_stream_event.py"),
            *("s3_event.py", "sns_event.py", "event_bridge_event.py"),
            *("kafka_event.py", "kinesis_stream_event.py", "cloud_watch_logs_event.py"),
            *("api_gateway_proxy_event.py", "alb_event.py", "bedrock_agent_event.py"),
            *("lambda_function_url_event.py", "vpc_lattice.py"),
        ),
        "events that neither the functions nor the batch utility know",
    ),
    f"{_POWERTOOLS}/event_handler": (
        (
            *("__init__.py", "api_gateway.py", "content_types.py", "depends.py", "exceptions.py"),
            *("exception_handling.py", "middlewares", "openapi", "request.py", "router.py", "types.py", "util.py"),
        ),
        "routes GraphQL and agents",
    ),
    "aws_xray_sdk/ext": (
        ("__init__.py", "boto_utils.py", "botocore", "httplib", "resources", "util.py"),
        "trace libraries that are not shipped",
    ),
}

# Python files that are swapped for a small one of the same names, and why.
REPLACED: Mapping[str, tuple[str, str]] = {
    "botocore/docs/__init__.py": ("", "renders documentation"),
    "botocore/docs/docstring.py": (
        """
class ClientMethodDocstring(str):
    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

PaginatorDocstring = WaiterDocstring = ClientMethodDocstring
""",
        "docstrings of client methods, of which only their being strings matters",
    ),
    "botocore/docs/utils.py": (
        """
class _Undocumented:
    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        return _document_nothing

def _document_nothing(*args, **kwargs):
    pass

AppendParamDocumentation = AutoPopulatedParam = HideParamFromOperations = DocumentModifiedShape = _Undocumented
""",
        "handlers of events that only documentation emits",
    ),
    "pydantic/plugin/_loader.py": (
        "def get_plugins():\n    return ()\n",
        "imports package metadata to search all that is installed for plugins; there are none",
    ),
    f"{_POWERTOOLS}/event_handler/__init__.py": (
        f"from {_POWERTOOLS}.event_handler.api_gateway import ApiGatewayResolver, Response\n",
        "imports every router there is",
    ),
    "urllib3/http2/__init__.py": ("", "switches HTTP/2 on, and imports package metadata to do so"),
    f"{_UTILITIES}/data_classes/__init__.py": ("", "imports 50 modules; the functions import those they use"),
}

# Lines of Python files that are changed: what stands there, once, what takes its place, and why.
CHANGED: Mapping[str, tuple[str, str, str]] = {
    f"{_UTILITIES}/batch/types.py": (
        'has_pydantic = "pydantic" in sys.modules',
        "has_pydantic = False",
        "builds models of events for type hints",
    ),
    f"{_UTILITIES}/data_classes/sqs_event.py": (
        f"from {_EVENTS} import S3Event",
        f"from {_EVENTS}.s3_event import S3Event",
        "the package's own module no longer imports it (see REPLACED)",
    ),
    f"{_POWERTOOLS}/event_handler/api_gateway.py": (
        f"""from {_EVENTS} import (
    ALBEvent,
    APIGatewayProxyEvent,
    APIGatewayProxyEventV2,
    BedrockAgentEvent,
    LambdaFunctionUrlEvent,
    VPCLatticeEvent,
    VPCLatticeEventV2,
)""",
        f"""from {_EVENTS}.alb_event import ALBEvent
from {_EVENTS}.api_gateway_proxy_event import APIGatewayProxyEvent, APIGatewayProxyEventV2
from {_EVENTS}.bedrock_agent_event import BedrockAgentEvent
from {_EVENTS}.lambda_function_url_event import LambdaFunctionUrlEvent
from {_EVENTS}.vpc_lattice import VPCLatticeEvent, VPCLatticeEventV2""",
        "the package's own module no longer imports them (see REPLACED)",
    ),
    f"{_POWERTOOLS}/shared/functions.py": (
        f"    from {_POWERTOOLS}.event_handler.openapi.compat import _model_dump\n\n    return _model_dump(data)",
        '    return data.model_dump(mode="json")',
        "what that does, without the HTTP router's modules",
    ),
    f"{_UTILITIES}/parser/functions.py": (
        "from pydantic import IPvAnyNetwork, TypeAdapter",
        "from pydantic import TypeAdapter",
        "5 ms, of package metadata again, for a type that models of HTTP events use",
    ),
    "botocore/credentials.py": (
        "    profile_name = session.get_config_variable('profile') or 'default'",
        "    return CredentialResolver(providers=[EnvProvider()])",
        "7 ms to prepare asking elsewhere: a function's credentials are in its environment (but not with SnapStart)",
    ),
    "botocore/session.py": (
        "        for spec in handlers.BUILTIN_HANDLERS:",
        f"        for spec in [h for h in handlers.BUILTIN_HANDLERS if (h[0].split('.') + [''])[1] in {_HANDLED}]:",
        "9 ms to register what is done for services that are not shipped",
    ),
}

# Imports that modules make only when they use them, and why they rarely or never do.
IMPORTED_LATER: Mapping[str, tuple[Sequence[str], str]] = {
    f"{_UTILITIES}/batch/base.py": (("asyncio",), "for asynchronous batches"),
    f"{_POWERTOOLS}/logging/logger.py": (("jmespath_utils",), "for correlation ids found by a path"),
    "botocore/configloader.py": (("configparser",), "for configuration files, of which a function has none"),
    "botocore/credentials.py": (("dateutil", "parse"), "for credentials that are not from the environment"),
    "botocore/paginate.py": (("jmespath",), "for paginators"),
    "botocore/regions.py": (("jmespath",), "for endpoints that depend on a request's content"),
    "botocore/tokens.py": (("dateutil",), "for single sign-on"),
    "botocore/utils.py": (("dateutil",), "for timestamps that are text"),
    "botocore/waiter.py": (("jmespath",), "for waiters"),
}

# Classes whose bodies only type checkers read: the class they derive from, and why emptying them is worth it.
EMPTIED: Mapping[str, tuple[str, str]] = {
    "pydantic_core/core_schema.py": ("TypedDict", "78 classes say what keys a schema may have: 9 ms to build them"),
}

# Imports of what is gone, as `importing module imports name` with patterns, and why they are in order.
UNREACHED: Mapping[str, str] = {
    "botocore.auth imports botocore.crt.auth.*": "only where awscrt is there",
    "botocore.httpsession imports urllib3.contrib.pyopenssl.*": "falls back to ssl, as it does without pyOpenSSL",
    "botocore.httpsession imports urllib3.util.ssl_.DEFAULT_CIPHERS": "a name of urllib3 1, optional",
    "botocore.useragent imports botocore.customizations.*": "optional, in no release",
    "dateutil.tz.tz imports dateutil.tz.win.*": "only on Windows",
    "dateutil.tz.tz imports dateutil.zoneinfo.*": "only for named time zones that the system does not have",
    "dateutil.tz.* imports six.moves._thread": "made by six when it is imported",
    "pydantic._internal._generate_schema imports pydantic.v1.*": "only for models of pydantic 1",
    "urllib3 imports urllib3.contrib.emscripten.*": "only in browsers",
    "wrapt.__wrapt__ imports wrapt._wrappers.*": "falls back to Python",
    f"{_POWERTOOLS}.tracing.extensions imports aws_xray_sdk.ext.aiohttp.*": "only for aiohttp",
    f"{_POWERTOOLS}.utilities.batch.types imports {_POWERTOOLS}.utilities.parser.models.*": "never (see CHANGED)",
}

# The same, in one package.
UNREACHED_IN: Mapping[str, Mapping[str, str]] = {"main": {}, "api": {}}
