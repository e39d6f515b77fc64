"""`python -m infra.local`: the pipeline on this machine, for a run or until it is ended."""

import signal

# While modules are imported there is nothing to clean up: Ctrl-C ends the process at once, without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from infra.local.commands import main  # noqa: E402

if __name__ == "__main__":
    main()
