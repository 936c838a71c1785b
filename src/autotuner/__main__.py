"""``python -m autotuner`` is the command line."""

from autotuner.cli.main import main

main()
