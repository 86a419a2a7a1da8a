"""Run the command line as `python -m flancompile`."""

from flancompile.cli import main

if __name__ == "__main__":
    main()
