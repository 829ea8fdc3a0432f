"""The environment of Ray, which it reads when it is first imported: import this before ``ray``.

Measured with five deployments on two cores: a hop costs 0.6-0.9 ms in the throughput mode and about 3 ms without.
That mode would also open HTTP ports of Serve's own, which nobody calls and which delay every stop by 30 s.
Ray's own variables win over these, so that whoever runs a cluster can choose otherwise.
"""

from __future__ import annotations

import os

ENVIRONMENT = {
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # else a late callback of Serve's starts a second cluster after our end
    "RAY_AUTH_MODE": "disabled",  # unset, it depends on whether some token file lies about
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns; our own CUDA_VISIBLE_DEVICES stays as it is
}

for _name, _value in ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
