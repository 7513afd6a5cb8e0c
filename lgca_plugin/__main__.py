"""``python -m lgca_plugin`` is the command ``lgca``."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
