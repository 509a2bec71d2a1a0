"""``python -m overmix.cli``, the same as ``overmix``."""

from overmix.cli import main

if __name__ == "__main__":
    main()
