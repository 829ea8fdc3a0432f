"""The stages: models, and Ray at the rim."""

import os

# Engines bring their own threads. A pool of BLAS threads beside them only spins: recognition costs half without it.
# The library reads this once, when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
