"""The machine images of the lab's EC2 in every Region, and the public parameters that name them.

Pure values. Few, because moto's own hundreds of images cost half a second at the first call.
"""

from collections.abc import Mapping
from typing import Any

_IDS = {"arm64": "ami-0a000000000000a64", "x86_64": "ami-0a000000000000864"}

PARAMETERS: Mapping[str, str] = {
    f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}": id
    for architecture, id in _IDS.items()
}
"""The ids by their public parameters. Source: Amazon Linux 2023 User Guide, "Launching ... using Systems Manager"."""


def descriptions() -> list[dict[str, Any]]:
    """The images in the format of the file MOTO_AMIS_PATH of moto."""
    return [
        {
            "ami_id": id,
            "name": f"al2023-ami-kernel-default-{architecture}",
            "description": "Amazon Linux 2023",
            "owner_id": "137112412989",
            "public": True,
            "virtualization_type": "hvm",
            "architecture": architecture,
            "state": "available",
            "platform": None,
            "image_type": "machine",
            "image_location": f"amazon/al2023-ami-kernel-default-{architecture}",
            "hypervisor": "xen",
            "root_device_name": "/dev/xvda",
            "root_device_type": "ebs",
            "sriov": "simple",
        }
        for architecture, id in _IDS.items()
    ]
