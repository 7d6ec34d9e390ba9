"""From the bytes of a photo to the bytes of the result: `pipeline` runs the steps in order.

ONNX Runtime's wheels send telemetry to Microsoft and store a device id on disk, from version 1.29
on. Only an environment variable that is set before the import turns this off
(https://github.com/microsoft/onnxruntime/pull/29843), so this package sets it first.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
