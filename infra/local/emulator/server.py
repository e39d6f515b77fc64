"""The emulator's process: run by the emulator's own interpreter, as a script, never imported.

Arguments: the folder of its state, which it removes at its end; and `--lifeline` when standard input is a pipe that the
parent alone holds open, so that it ends with the parent. Its functions' processes end when their runtime API goes away.
"""

import os
import shutil
import signal
import sys
import threading
import time

SECONDS_TO_END = 10


def end_with_parent() -> None:
    """Wait for the end of standard input, then end this process and its children."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_END)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    home, *options = sys.argv[1:]
    sys.argv = sys.argv[:1]
    if "--lifeline" in options:
        threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        from ministack.app import main  # type: ignore[import-not-found]
        from ministack.core import iam_actions  # type: ignore[import-not-found]
        from ministack.services import apigateway_v1, stepfunctions  # type: ignore[import-not-found]

        # The emulator's interpreter finds this package next to the script that it runs.
        from patches import (  # type: ignore[import-not-found]
            authorizer_keys,
            batching,
            fast_server,
            firehose_delivery,
            forked_functions,
            function_layers,
            leading_keys,
            mapping_templates,
            nested_executions,
            object_versions,
            recovery_windows,
            scan_pages,
            stream_polling,
            usage,
        )

        fast_server.patch()
        authorizer_keys.patch(apigateway_v1)
        batching.patch()
        mapping_templates.patch(apigateway_v1)
        leading_keys.patch(iam_actions)
        nested_executions.patch(stepfunctions)
        object_versions.patch()
        recovery_windows.patch()
        scan_pages.patch()
        stream_polling.patch()
        usage.patch()
        firehose_delivery.patch()
        function_layers.patch()
        forked_functions.patch()
        main()
    finally:
        shutil.rmtree(home, ignore_errors=True)
