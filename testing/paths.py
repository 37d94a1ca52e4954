"""Where the project and the data of its tests lie."""

from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[1]
DATA: Final = PROJECT / "tests" / "data"
