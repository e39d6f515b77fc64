"""Which Python the functions run on: the one that builds the package, unless `LAMBDA_PYTHON` names another."""

import os
import sys

from infra.package.errors import PackageError

SETTING = "LAMBDA_PYTHON"
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")


def building_python() -> str:
    """The version of this interpreter, as Lambda writes it: `3.13`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def functions_python() -> str:
    """The version that the functions run on; PackageError where Lambda or our code does not know it."""
    wanted = os.environ.get(SETTING) or building_python()
    if wanted not in SUPPORTED:
        raise PackageError(
            f"functions cannot run on Python {wanted}: set {SETTING} to one of {', '.join(SUPPORTED)}, "
            "or build with one of these"
        )
    return wanted
