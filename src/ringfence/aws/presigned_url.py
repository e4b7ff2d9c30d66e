"""Writes a document to a presigned URL of Amazon S3. Knows nothing of what it says, nor of whether the URL may be used.

Source: CloudFormation Template Reference, "Custom resource response objects"; its module cfn-response sends the same
request, with an empty content type, because the signature covers it.
"""

from typing import Any

from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from ringfence.core.errors import Retry

ATTEMPTS = 3
_TIMEOUT = (1.0, 3.0)
"""Seconds to connect, and to read the answer."""


def put(url: str, document: bytes) -> None:
    """Writes the document. Raises Retry if it was not accepted, without the URL, which is a credential.

    Botocore's session follows no redirect: it could lead anywhere. It verifies certificates.
    """
    session = URLLib3Session(timeout=_TIMEOUT)  # type: ignore[arg-type]  # a pair is what botocore itself gives
    headers: Any = HeadersDict({"Content-Type": ""})
    said = ""
    for _ in range(ATTEMPTS):
        try:
            answer = session.send(AWSPreparedRequest("PUT", url, headers, document, stream_output=False))
        except BotoCoreError as error:
            said = type(error).__name__
            continue
        if answer.status_code < 300:
            return
        said = f"HTTP status {answer.status_code}"
        if answer.status_code < 500:
            break
    raise Retry(f"CloudFormation did not take the answer: {said}")
