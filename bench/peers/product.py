"""OpenBLAS's product of two matrices of float64, through NumPy: prints multiply-adds a second.

    product.py SIZE THREADS
"""

import json
import sys
import time

import numpy as np
import threadpoolctl

size, threads = int(sys.argv[1]), int(sys.argv[2])
random = np.random.default_rng(0)
left, right = random.standard_normal((2, size, size))
with threadpoolctl.threadpool_limits(threads, "blas"):
    best, until = float("inf"), time.perf_counter() + 1
    while time.perf_counter() < until:
        began = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - began)
print(json.dumps(size**3 / best))
