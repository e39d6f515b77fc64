"""`python -m infra.local`: the pipeline on this machine, for a run or until it is ended.

It imports next to nothing, so that from its first moment on a signal ends the command cleanly.
"""

from infra import signals
from infra.loading import load

if __name__ == "__main__":
    signals.install()
    load("infra.local.commands:main")()
