"""`python -m operations`: the command `earshot`."""

from operations.cli import main

main()
