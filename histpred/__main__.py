"""The command line, as `python -m histpred`."""

import sys

from histpred.cli import main

if __name__ == "__main__":
    sys.exit(main())
