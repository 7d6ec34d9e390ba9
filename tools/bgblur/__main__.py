"""Run `bgblur` when Python is started with `-m bgblur`."""

from bgblur.cli import main

main()
