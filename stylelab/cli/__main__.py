"""``python -m stylelab.cli``."""

import sys

from . import main

sys.exit(main())
