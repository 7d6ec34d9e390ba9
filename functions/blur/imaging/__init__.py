"""From bytes to blurred bytes, one step a module: `pipeline` reads them in order.

ONNX Runtime's wheels send telemetry to Microsoft and keep a device's id on disk, from 1.29 on.
A photo's server must not, and only the environment can forbid it, as the runtime is imported
(https://github.com/microsoft/onnxruntime/pull/29843): this runs before any import of it here.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
