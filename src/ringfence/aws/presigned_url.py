"""Writes a document to a presigned URL of Amazon S3. Knows nothing of what it says, nor of whether the URL may be used.

Source: CloudFormation Template Reference, "Custom resource response objects"; its module cfn-response sends the same
request, with an empty content type, because the signature covers it.
"""

from urllib3 import PoolManager
from urllib3.exceptions import HTTPError
from urllib3.util import Retry as Retries
from urllib3.util import Timeout

from ringfence.core.errors import Retry

_TIMEOUT = Timeout(connect=1, read=3)
_ATTEMPTS = Retries(
    total=2, redirect=0, status_forcelist=(500, 502, 503, 504), allowed_methods=None, raise_on_status=False
)
"""Two more attempts. A redirect is not followed: it could lead anywhere."""


def put(url: str, document: bytes) -> None:
    """Writes the document. Raises Retry if it was not accepted, without the URL, which is a credential."""
    try:
        with PoolManager(timeout=_TIMEOUT, retries=_ATTEMPTS) as pool:
            answer = pool.request("PUT", url, body=document, headers={"Content-Type": ""})
    except HTTPError as error:
        raise Retry(f"CloudFormation did not get the answer: {type(error).__name__}") from None
    if answer.status >= 300:
        raise Retry(f"CloudFormation did not take the answer: HTTP status {answer.status}")
