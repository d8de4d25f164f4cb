"""A script that was never meant to be imported."""

import sys

from explorer import hookimpl


@hookimpl
def register_architectures(register): ...


def main():
    sys.exit(0)


main()
