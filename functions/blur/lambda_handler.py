"""Lambda's entry point.

Importing this module is the cold start; importing other modules has no effect. Lambda imports this
module in the INIT phase, with full CPU, before the first event:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import os

from blur.app import build_handler
from blur.settings import Settings

handler = build_handler(Settings.from_environ(os.environ))
