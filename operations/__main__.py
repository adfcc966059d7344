"""`python -m earshot`."""

from operations.cli import main

main()
