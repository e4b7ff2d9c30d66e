"""Writing to a presigned URL: the request that S3 expects, and an answer that is not followed anywhere."""

import pytest

from ringfence.aws.presigned_url import put
from ringfence.core.errors import Retry
from tests.unit.buckets import Bucket, bucket

__all__ = ["bucket"]


def test_a_document_is_put_without_a_content_type_because_the_signature_covers_it(bucket: Bucket) -> None:
    put(f"{bucket.url}/arn%3Aaws%7Ca?X-Amz-Signature=a%2Fb", b"{}")
    ((method, path, headers, body),) = bucket.received
    assert (method, path, body) == ("PUT", "/arn%3Aaws%7Ca?X-Amz-Signature=a%2Fb", b"{}")
    assert headers["Content-Type"] == ""


def test_an_error_of_the_server_is_tried_again(bucket: Bucket) -> None:
    bucket.statuses = [503, 500, 200]
    put(bucket.url, b"{}")
    assert len(bucket.received) == 3


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(bucket: Bucket, status: int) -> None:
    bucket.statuses = [status]
    with pytest.raises(Retry):
        put(f"{bucket.url}/key", b"{}")
    assert {path for _, path, _, _ in bucket.received} == {"/key"}


@pytest.mark.parametrize("status", [400, 403, 503])
def test_a_refusal_says_its_status_and_not_the_url(bucket: Bucket, status: int) -> None:
    bucket.statuses = [status]
    with pytest.raises(Retry) as raised:
        put(f"{bucket.url}/key?X-Amz-Signature=secret", b"{}")
    assert "secret" not in str(raised.value)


def test_a_server_that_is_not_there_is_tried_again_later() -> None:
    with pytest.raises(Retry) as raised:
        put("http://127.0.0.1:9/key?X-Amz-Signature=secret", b"{}")
    assert "secret" not in str(raised.value)
