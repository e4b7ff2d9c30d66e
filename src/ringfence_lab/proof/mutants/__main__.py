"""The command `python -m ringfence_lab.proof.mutants`."""

import argparse
import sys
from pathlib import Path

from ringfence_lab.proof.mutants.catalogue import BY_NAME
from ringfence_lab.proof.mutants.hunt import prove
from ringfence_lab.proof.mutants.trial import HISTORIES

if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Breaks the engine in every known way: the simulator must notice.")
    arguments.add_argument("names", nargs="*", metavar="NAME", choices=[[], *BY_NAME], help="all, if none is given")
    arguments.add_argument("--histories", type=int, default=HISTORIES, help="at most so many for each mutant")
    arguments.add_argument("--write", type=Path, help="the document whose section `mutants` is written anew")
    given = arguments.parse_args()
    sys.exit(prove(given.names, given.histories, given.write))
