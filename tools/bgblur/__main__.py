"""`python -m bgblur`."""

from bgblur.cli import main

main()
