"""`python -m priorcraft` equals `priorcraft`."""

from priorcraft.cli import main

if __name__ == "__main__":
    main()
