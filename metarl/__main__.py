"""`python -m metarl`: the command line, for launchers that start modules, such as torchrun."""

import sys

from metarl.cli.main import main

sys.exit(main())
