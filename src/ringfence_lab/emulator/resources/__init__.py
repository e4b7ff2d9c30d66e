"""CloudFormation's resource types of EC2 and Auto Scaling, created in moto through its API.

Each type follows AWS's CloudFormation Template Reference: what Ref and GetAtt return, and which properties change
without a replacement. It must not know an emulator of CloudFormation.
"""

from collections.abc import Mapping

from ringfence_lab.emulator.resources import auto_scaling, network, security_groups
from ringfence_lab.emulator.resources.resource_type import ResourceType

TYPES: Mapping[str, ResourceType] = {**network.TYPES, **security_groups.TYPES, **auto_scaling.TYPES}
