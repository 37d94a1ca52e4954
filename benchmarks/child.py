"""Runs one function of a benchmark in a process of its own: `python -m benchmarks.child MODULE FUNCTION ARGUMENTS`."""

import json
import sys
from importlib import import_module


def main() -> None:
    """Call the function with the arguments, a JSON list, and print what it returns as JSON."""
    module, function, arguments = sys.argv[1:]
    print(json.dumps(getattr(import_module(f"benchmarks.{module}"), function)(*json.loads(arguments))))


if __name__ == "__main__":
    main()
