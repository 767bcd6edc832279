"""``python -m mailbearer``: the command line."""

from __future__ import annotations

import signal
import sys

from ._native import run_cli


def main() -> None:
    """Runs the command in `sys.argv` and exits with its code."""
    # The command line is native and handles Ctrl-C itself; Python's own handler would only note it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run_cli(sys.argv[1:]))


if __name__ == "__main__":
    main()
