"""``python -m salesanalysis`` is the command line."""

from salesanalysis.cli import main

main()
