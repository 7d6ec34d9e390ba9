"""From bytes to blurred bytes, one step a module: `pipeline` reads them in order."""
