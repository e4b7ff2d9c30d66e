"""The private bucket of the account in each Region, from which CloudFormation takes the function's code.

Raises botocore's errors, and CommandError where the bucket belongs to another account. Knows no stack.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_absent_bucket, is_absent_object, is_forbidden_bucket
from ringfence.core.model.identifiers import Region
from ringfence_ops.errors import CommandError


@dataclass(frozen=True, slots=True)
class Bucket:
    """The bucket of an account in a Region. Every call names the expected owner: another account's bucket is
    never used."""

    client: Any
    account: str
    region: Region

    @property
    def name(self) -> str:
        """The name, unique because account ids are."""
        return f"ringfence-{self.account}-{self.region}"

    def put(self, artefact: Path) -> str:
        """Uploads the file if it is not in the bucket, and returns its URI. The file's name identifies its content."""
        self._ensure()
        key, owner = artefact.name, {"Bucket": self.name, "ExpectedBucketOwner": self.account}
        try:
            self.client.head_object(Key=key, **owner)
        except ClientError as error:
            if not is_absent_object(error):
                raise
            # `doctor` compares the checksum with the function's code.
            self.client.put_object(Key=key, Body=artefact.read_bytes(), ChecksumAlgorithm="SHA256", **owner)
        return f"s3://{self.name}/{key}"

    def put_template(self, name: str, template: str) -> str:
        """Uploads a template that is too long for a request, and returns its URL for CloudFormation."""
        self._ensure()
        self.client.put_object(Bucket=self.name, Key=name, Body=template.encode(), ExpectedBucketOwner=self.account)
        return f"{self.client.meta.endpoint_url}/{self.name}/{name}"

    def _ensure(self) -> None:
        """Creates the bucket if there is none, and protects it in any case: a deployment repairs what was changed."""
        try:
            self.client.head_bucket(Bucket=self.name, ExpectedBucketOwner=self.account)
        except ClientError as error:
            if is_forbidden_bucket(error):
                message = f"the bucket {self.name} belongs to another account, or you may not use it"
                raise CommandError(message) from error
            if not is_absent_bucket(error):
                raise
            self._create()
        self._protect()

    def _create(self) -> None:
        constraint = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        self.client.create_bucket(Bucket=self.name, **({} if self.region == "us-east-1" else constraint))

    def _protect(self) -> None:
        owner = {"Bucket": self.name, "ExpectedBucketOwner": self.account}
        self.client.put_public_access_block(
            PublicAccessBlockConfiguration=dict.fromkeys(
                ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
            ),
            **owner,
        )
        self.client.put_bucket_policy(Policy=json.dumps(self._policy()), **owner)

    def _policy(self) -> dict[str, Any]:
        """Denies requests without TLS. Source: Amazon S3 User Guide, "Security best practices for Amazon S3"."""
        arn = f"arn:{self.client.meta.partition}:s3:::{self.name}"
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [arn, f"{arn}/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }
