"""All mutants, in the order of the table.

Imports nothing of the engine.
"""

from ringfence_lab.proof.mutants.ours import OURS
from ringfence_lab.proof.mutants.outside import OUTSIDE
from ringfence_lab.proof.mutants.pauses import PAUSES
from ringfence_lab.proof.mutants.predecessor import PREDECESSOR
from ringfence_lab.proof.mutants.protocol import PROTOCOL
from ringfence_lab.proof.mutants.readings import READINGS
from ringfence_lab.proof.mutants.reported import REPORTED

MUTANTS = (*PREDECESSOR, *PROTOCOL, *REPORTED, *OURS, *OUTSIDE, *READINGS, *PAUSES)
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
