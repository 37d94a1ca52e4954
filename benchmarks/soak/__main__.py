"""`python -m benchmarks.soak [--minutes N] [--seed S] [--hosts H]`."""

import sys

from benchmarks.soak import main

if __name__ == "__main__":
    sys.exit(main())
