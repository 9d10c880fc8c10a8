"""kanbefair: when does a Kolmogorov–Arnold network beat a multi-layer perceptron under a fair comparison?

Data flows one way: spec → run → record → table → figure.
"""

import os

os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
"""Intel's matrix products then round the same whatever the memory alignment, so that a run's result does not depend on
where in a stack it stands. It must be set before the first product."""

from kanbefair import models  # noqa: E402, F401 (registers the families)
