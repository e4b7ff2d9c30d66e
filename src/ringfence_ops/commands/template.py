"""`ringfence template`: the cluster as plain CloudFormation, for everything that deploys without `ringfence`."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli import completion
from ringfence_ops.cli.command_run import CommandRun, command_run
from ringfence_ops.cli.terminal import Output
from ringfence_ops.cloudformation.artefact import artefact, looped_template
from ringfence_ops.cloudformation.bucket import Bucket
from ringfence_ops.cloudformation.plain_template import Code, plain_template, text
from ringfence_ops.errors import CommandError, WrongUsage

EXAMPLES = """\b
Examples:
  ringfence template > cluster.json                       # for all Regions, as a stack set needs it
  ringfence template --region us-west-2 --upload          # and puts the code into the deployment bucket
  ringfence template --code-bucket 'code-${AWS::Region}' --code-key ringfence.zip --save-code ringfence.zip
"""

DEPLOYMENT_BUCKET = "ringfence-${AWS::AccountId}-${AWS::Region}"
"""The name of `Bucket`, as CloudFormation writes it."""

TEMPLATE_BODY = 51_200
"""Bytes of a template in a request. Source: CloudFormation User Guide, "Understand CloudFormation quotas"."""

UPLOAD_TIMEOUT = 120.0
"""Seconds that the upload of the code may take in a Region."""


def template(
    context: typer.Context,
    *,
    region: Annotated[
        str | None,
        typer.Option(help="The Region whose template is printed. By default all.", autocompletion=completion.regions),
    ] = None,
    code_bucket: Annotated[
        str, typer.Option(help="The bucket with the function's code, in the Region of the stack.")
    ] = DEPLOYMENT_BUCKET,
    code_key: Annotated[str | None, typer.Option(help="The key of the code. By default one that names it.")] = None,
    upload: Annotated[
        bool, typer.Option("--upload", help="Put the code into the deployment bucket of each of these Regions first.")
    ] = False,
    save_code: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the function's code to this file too.")
    ] = None,
) -> None:
    """Prints the cluster's template as plain CloudFormation: without transform, macro, loop or parameter.

    It makes the same resources as `ringfence deploy`. All settings of the cluster file are in it: print it again when
    the file changes.

    Without --region, one template serves every Region. The bucket may contain ${AWS::Region} and ${AWS::AccountId};
    without --code-bucket it is the one that `ringfence deploy` uses.
    """
    run, output = command_run(context), Output()
    cluster = run.cluster()
    regions = [cluster.of(Region(region)).region] if region else list(cluster.region_names)
    if broken := cluster.broken_relations():
        raise CommandError("; ".join(broken))
    if upload and (code_bucket != DEPLOYMENT_BUCKET or code_key is not None):
        raise WrongUsage(
            "--upload puts the code into the deployment bucket: run the command without --code-bucket and --code-key"
        )
    with output.working("building the function"):
        looped, zipped = looped_template(), artefact()
    parameters = {region: cluster.parameters(region) for region in regions}
    printed = text(plain_template(looped, parameters, Code(code_bucket, code_key or zipped.name)))
    if upload:
        _upload(run, regions, zipped)
    if save_code is not None:
        shutil.copyfile(zipped, save_code)
    Output().show_file(printed)
    if (size := len(printed.encode())) > TEMPLATE_BODY:
        output.say(
            f"The template has {size:,} bytes. CloudFormation takes more than {TEMPLATE_BODY:,} from Amazon S3 only:"
            " with `--template-url`, or with `aws cloudformation deploy --s3-bucket`."
        )


def _upload(run: CommandRun, regions: list[Region], code: Path) -> None:
    """Puts the code into the deployment buckets. Raises CommandError for the Regions where that failed."""
    account = run.aws.account(regions)
    run.aws.prepare(("s3",), regions[0], patient=True)
    answers = run.aws.each_region(
        regions,
        lambda region: Bucket(run.aws.client("s3", region, patient=True), account, region).put(code),
        UPLOAD_TIMEOUT,
    )
    failed = [f"{region}: {answer.reason}" for region, answer in answers.items() if isinstance(answer, Unreachable)]
    if failed:
        raise CommandError(f"the code is not in the bucket of every Region: {'; '.join(failed)}")
