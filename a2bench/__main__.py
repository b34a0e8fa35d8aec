"""``python -m a2bench``."""

import sys

from a2bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
