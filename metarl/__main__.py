"""`python -m metarl`: the command line, for launchers that start modules (torchrun)."""

import sys

from metarl.cli import main

sys.exit(main())
