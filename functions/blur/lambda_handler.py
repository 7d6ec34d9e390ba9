"""Lambda's entry. Importing this module is the cold start: it is the one that acts on import.

Lambda runs it in the INIT phase, with the environment's full CPU, before the first event:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import os

from blur.app import build_app
from blur.settings import Settings

handler = build_app(Settings.from_environ(os.environ))
