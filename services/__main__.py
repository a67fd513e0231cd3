"""`python -m services` is `quantwatch`."""

from services.cli import main

main()
