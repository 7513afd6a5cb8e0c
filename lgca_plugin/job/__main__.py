"""``python -m lgca_plugin.job part FOLDER N``: does parts of a job, under any scheduler."""

from __future__ import annotations

import argparse
import sys

from ..errors import LgcaError
from .parts import do_parts


def main(arguments: list[str] | None = None) -> int:
    """Does the parts that the command line names, and returns an exit status: 1 after one sentence on what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m lgca_plugin.job", description="Does parts of a job.")
    part = parser.add_subparsers(required=True).add_parser("part", help="do parts of a job in this process")
    part.add_argument("folder", metavar="FOLDER", help="the job's folder, or its URL")
    part.add_argument("parts", metavar="N", nargs="+", help="17, a range: 16-31, or every hundredth part: 3/100")
    part.add_argument("--device", help="where the model runs; without it, the best device that there is")
    part.add_argument("--batch-size", type=int, help="crops in one call of the encoder")
    options = parser.parse_args(arguments)
    try:
        for done in do_parts(options.folder, options.parts, device=options.device, batch_size=options.batch_size):
            engine = done.engine
            print(  # noqa: T201 (the output of a command)
                f"part {done.part}: {engine['images'] + engine['failed']:,} images in {done.seconds:.1f} s, "
                f"{engine['failed']:,} of them failed",
                flush=True,
            )
    except LgcaError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
