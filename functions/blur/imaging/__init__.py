"""Turn a photo's file into the result's file: `pipeline` runs the steps in order.

From version 1.29 on, ONNX Runtime's wheels send telemetry to Microsoft and store a device id on
disk. Only an environment variable that is set before the import turns this off
(https://github.com/microsoft/onnxruntime/pull/29843), so this package sets it first.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
