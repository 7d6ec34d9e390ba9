"""The distributed store: results and uploads in an S3 bucket.

The only module of `storage` that knows botocore. Endpoint, region and credentials come from
where boto finds them: the environment (among it `AWS_ENDPOINT_URL_S3`), its files, or the
machine's role. Links and forms are signed here without a request; botocore signs by the
machine's clock, and no signature outlives the credentials that made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.parsers import ResponseParserError

from blur.aws import session
from blur.errors import ImageTooLargeError, UnavailableError, UploadNotFoundError
from blur.storage.ports import LINK_TTL_S, Link, PresignedForm

CONNECT_S = 1
READ_S = 4
"""The longest silence in a transfer, not its whole duration."""
MOST_DELIVERIES = 2

ABSENT = frozenset({"NoSuchKey", "AccessDenied"})
"""Without s3:ListBucket, which the function does not have, S3 answers a GetObject of nothing
with 403 AccessDenied (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)."""


def open_client() -> Any:  # noqa: ANN401 - botocore makes its clients' classes at run time
    """Build a client that gives up soon; no request is sent.

    Virtual addressing makes botocore sign for the bucket's regional host. The global one may
    redirect for hours after a bucket is made, which a browser's preflight does not follow
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html).
    """
    return session().create_client(
        "s3",
        config=Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            retries={"total_max_attempts": MOST_DELIVERIES, "mode": "standard"},
            signature_version="s3v4",
            s3={"addressing_style": "virtual"},
            response_checksum_validation="when_required",  # a form's upload carries none
        ),
    )


class BucketStore:
    """Results and uploads in one bucket; it needs s3:PutObject and s3:GetObject, no more."""

    def __init__(self, bucket: str, client: Any) -> None:  # noqa: ANN401 - as open_client
        """Keep the bucket's name and the client."""
        self._bucket = bucket
        self._client = client

    def origin(self) -> str:
        """Return the bucket's own host, as links have it; see `UploadStore.origin`."""
        with _within_reach():
            parameters = {"Bucket": self._bucket, "Key": "any"}
            url: str = self._client.generate_presigned_url("get_object", Params=parameters)
        return urljoin(url, "/").rstrip("/")

    def put(
        self, name: str, data: bytes, *, content_type: str, file_name: str, now_us: int
    ) -> Link:
        """Store the result and presign a GET for it; see `ResultStore.put`."""
        where = {"Bucket": self._bucket, "Key": name}
        with _within_reach():
            answer = self._client.put_object(
                **where,
                Body=data,
                ContentType=content_type,
                ContentDisposition=f'inline; filename="{file_name}"',
                CacheControl="no-store",
            )
            _require_s3(answer)
            url = self._client.generate_presigned_url(
                "get_object", Params=where, ExpiresIn=LINK_TTL_S
            )
        return Link(url, _expiry_us(now_us))

    def presign_upload(
        self, name: str, *, content_type: str, max_bytes: int, now_us: int
    ) -> PresignedForm:
        """Sign a POST policy with exact type and bounded size; see `UploadStore.presign_upload`.

        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
        """
        with _within_reach():
            form = self._client.generate_presigned_post(
                self._bucket,
                name,
                Fields={"Content-Type": content_type},
                Conditions=[
                    {"Content-Type": content_type},
                    ["content-length-range", 1, max_bytes],
                ],
                ExpiresIn=LINK_TTL_S,
            )
        return PresignedForm(form["url"], form["fields"], _expiry_us(now_us))

    def get(self, name: str, *, max_bytes: int) -> bytes:
        """Get the object; see `UploadStore.get`."""
        with _within_reach():
            data = self._get(name, max_bytes + 1)
        if len(data) > max_bytes:
            message = f"The upload has more than {max_bytes} bytes."
            raise ImageTooLargeError(message)
        return data

    def _get(self, name: str, at_most: int) -> bytes:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=name)
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                raise UploadNotFoundError from error
            raise
        with answer["Body"] as body:
            _require_s3(answer)
            data: bytes = body.read(at_most)
        return data


@contextmanager
def _within_reach() -> Iterator[None]:
    """Call every failure an outage, except a mistake of ours."""
    try:
        yield
    except ParamValidationError:
        raise
    except (BotoCoreError, ClientError, ResponseParserError, _StrangeAnswerError) as error:
        message = "The storage for large files cannot be reached. Nothing was charged."
        raise UnavailableError(message, retry_after_s=1) from error


def _require_s3(answer: Mapping[str, Any]) -> None:
    """Require what S3 says of every object it has kept or sends: a 200 is anyone's to say."""
    if "ETag" not in answer:
        raise _StrangeAnswerError


class _StrangeAnswerError(Exception):
    """What answered is not S3."""


def _expiry_us(now_us: int) -> int:
    return now_us + LINK_TTL_S * 1_000_000
