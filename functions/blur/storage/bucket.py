"""The storage on AWS: results and uploads in an S3 bucket.

In this package, only this module imports botocore. botocore reads the endpoint, the region and the
credentials from the environment (such as `AWS_ENDPOINT_URL_S3`), from boto's files or from the
machine's role. This machine signs links and forms without a request to AWS, and its clock gives the
time of the signature. A signature is valid only as long as the credentials that made it.
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
"""The longest permitted pause in a transfer; the whole transfer can take longer."""
MAX_ATTEMPTS = 2

NOT_FOUND_CODES = frozenset({"NoSuchKey", "AccessDenied"})
"""Without s3:ListBucket, which only the keeper has, S3 responds to a GetObject for a missing
object with 403 AccessDenied (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
"""


def open_client() -> Any:  # noqa: ANN401 - botocore creates its clients' classes at run time
    """Return a client with short time-outs; no request is sent yet.

    Virtual addressing makes botocore sign for the bucket's regional host. The global host can
    redirect for hours after a bucket is created, and browsers do not follow a redirected preflight
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html).
    """
    return session().create_client(
        "s3",
        config=Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            retries={"total_max_attempts": MAX_ATTEMPTS, "mode": "standard"},
            signature_version="s3v4",
            s3={"addressing_style": "virtual"},
            response_checksum_validation="when_required",  # files from forms have no checksum
        ),
    )


class BucketStore:
    """Results and uploads in one bucket; the process needs only s3:PutObject and s3:GetObject."""

    def __init__(self, bucket: str, client: Any) -> None:  # noqa: ANN401 - the clients of botocore have no static type
        """Keep the bucket's name and the client."""
        self._bucket = bucket
        self._client = client

    def origin(self) -> str:
        """Return the scheme and host of the bucket's URLs; see `UploadStore.origin`."""
        with unavailable_on_failure():
            parameters = {"Bucket": self._bucket, "Key": "any"}
            url: str = self._client.generate_presigned_url("get_object", Params=parameters)
        return urljoin(url, "/").rstrip("/")

    def put(
        self, name: str, data: bytes, *, content_type: str, file_name: str, now_us: int
    ) -> Link:
        """Store the result and presign a GET for it; see `ResultStore.put`."""
        self.write(name, data, content_type=content_type, file_name=file_name)
        return self.link(name, now_us=now_us)

    def write(self, name: str, data: bytes, *, content_type: str, file_name: str) -> None:
        """Store the object; a client that opens its link saves the object as `file_name`."""
        with unavailable_on_failure():
            response = self._client.put_object(
                Bucket=self._bucket,
                Key=name,
                Body=data,
                ContentType=content_type,
                ContentDisposition=f'inline; filename="{file_name}"',
                CacheControl="no-store",
            )
            require_from_s3(response, "ETag")

    def link(self, name: str, *, now_us: int) -> Link:
        """Presign a GET for the object, whether it exists or not."""
        with unavailable_on_failure():
            url = self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket, "Key": name},
                ExpiresIn=LINK_TTL_S,
            )
        return Link(url, expiry_us(now_us))

    def presign_upload(
        self, name: str, *, content_type: str, max_bytes: int, now_us: int
    ) -> PresignedForm:
        """Sign a POST policy with an exact type and a size limit; see `UploadStore.presign_upload`.

        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
        """
        with unavailable_on_failure():
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
        return PresignedForm(form["url"], form["fields"], expiry_us(now_us))

    def get(self, name: str, *, max_bytes: int) -> bytes:
        """Get the object; see `UploadStore.get`."""
        data = self.read(name, at_most=max_bytes + 1)
        if len(data) > max_bytes:
            message = f"The upload has more than {max_bytes} bytes."
            raise ImageTooLargeError(message)
        return data

    def read(self, name: str, *, at_most: int | None = None) -> bytes:
        """Return the bytes of the object; with `at_most`, only the first `at_most` bytes.

        Raises:
            UploadNotFoundError: the object does not exist or has expired.

        """
        with unavailable_on_failure():
            try:
                response = self._client.get_object(Bucket=self._bucket, Key=name)
            except ClientError as error:
                if error.response["Error"]["Code"] in NOT_FOUND_CODES:
                    raise UploadNotFoundError from error
                raise
            with response["Body"] as body:
                require_from_s3(response, "ETag")
                data: bytes = body.read(at_most)
        return data


@contextmanager
def unavailable_on_failure() -> Iterator[None]:
    """Turn S3's errors into `UnavailableError`, except the error for wrong arguments."""
    try:
        yield
    except ParamValidationError:
        raise
    except (BotoCoreError, ClientError, ResponseParserError, _UnexpectedResponseError) as error:
        message = "The storage for large files cannot be reached. Nothing was charged."
        raise UnavailableError(message, retry_after_s=1) from error


def require_from_s3(response: Mapping[str, Any], name: str) -> None:
    """Require a value that S3 always sends, because another server can also respond with 200."""
    if name not in response:
        raise _UnexpectedResponseError


class _UnexpectedResponseError(Exception):
    """The response is not from S3."""


def expiry_us(now_us: int) -> int:
    """Return the expiry of a link or a form that is signed at `now_us`."""
    return now_us + LINK_TTL_S * 1_000_000
