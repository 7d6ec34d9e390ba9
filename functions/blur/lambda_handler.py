"""Lambda's entry point.

When this module is imported, it prepares everything for the first event; other modules do nothing
when they are imported. Lambda imports this module in the INIT phase, with full CPU:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import os

from blur.app import build_handler
from blur.settings import Settings

handler = build_handler(Settings.from_environ(os.environ))
