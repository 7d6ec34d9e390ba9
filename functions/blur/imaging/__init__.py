"""Turn a photo's file into the result's file: `pipeline` runs the steps in order.

Two environment variables have an effect only if they are set before numpy and ONNX Runtime are
imported. This package is imported earlier, so it sets them, unless they are already set:

- `ORT_DISABLE_TELEMETRY`: from version 1.29 on, ONNX Runtime's wheels send telemetry to Microsoft
  and store a device id on disk (https://github.com/microsoft/onnxruntime/pull/29843).
- `OPENBLAS_NUM_THREADS`: by default, numpy starts one OpenBLAS thread for each CPU when it is
  imported. One thread is enough: our matrix products take little time, and each worker has its own
  share of the CPUs.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
