"""The photos and results of bulk jobs in an S3 bucket.

    job-sources/<job_id>/<source>      the photos, uploaded by a form or copied by an operator
    job-results/<job_id>/<object_id>   the results

The bucket's lifecycle rules delete the photos and the results (`template.yaml`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from blur.storage.bucket import (
    BucketStore,
    expiry_us,
    require_from_s3,
    unavailable_on_failure,
)
from blur.storage.ports import LINK_TTL_S, PresignedForm

if TYPE_CHECKING:
    from blur.storage.ports import Link

JOB_SOURCE_PREFIX = "job-sources/"
JOB_RESULT_PREFIX = "job-results/"


class JobBucket:
    """The photos and results of jobs in one bucket; implements `blur.jobs.ports.JobFiles`.

    The process needs the permissions s3:GetObject and s3:PutObject; `list_sources` also needs
    s3:ListBucket.
    """

    def __init__(self, bucket: str, client: Any) -> None:  # noqa: ANN401 - the clients of botocore have no static type
        """Keep the bucket's name and the client."""
        self._bucket = bucket
        self._client = client
        self._store = BucketStore(bucket, client)

    def presign_sources(self, job_id: str, *, max_bytes: int, now_us: int) -> PresignedForm:
        """Sign a POST policy for all keys with the job's prefix.

        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
        """
        prefix = source_prefix(job_id)
        with unavailable_on_failure():
            form = self._client.generate_presigned_post(
                self._bucket,
                f"{prefix}${{filename}}",  # botocore adds the condition "starts-with"
                Conditions=[["content-length-range", 1, max_bytes]],
                ExpiresIn=LINK_TTL_S,
            )
        fields = {name: value for name, value in form["fields"].items() if name != "key"}
        return PresignedForm(form["url"], fields, expiry_us(now_us), prefix)

    def copy_target(self, job_id: str) -> str:
        """Return the S3 URI of the job's photos, for commands such as `aws s3 sync`."""
        return f"s3://{self._bucket}/{source_prefix(job_id)}"

    def read_source(self, job_id: str, source: str, *, max_bytes: int) -> bytes:
        """Get the photo; see `JobFiles.read_source`."""
        return self._store.get(source_prefix(job_id) + source, max_bytes=max_bytes)

    def list_sources(self, job_id: str) -> Iterator[str]:
        """Yield the names of the photos; each request to S3 lists up to 1,000 of them."""
        pages = self._client.get_paginator("list_objects_v2")
        with unavailable_on_failure():
            for page in pages.paginate(Bucket=self._bucket, Prefix=source_prefix(job_id)):
                require_from_s3(page, "KeyCount")
                for entry in page.get("Contents", ()):
                    name = split_source_key(entry["Key"])
                    if name is not None:
                        yield name[1]

    def write_result(
        self, job_id: str, object_id: str, data: bytes, *, content_type: str, file_name: str
    ) -> None:
        """Put the result; see `JobFiles.write_result`."""
        name = result_key(job_id, object_id)
        self._store.write(name, data, content_type=content_type, file_name=file_name)

    def link_result(self, job_id: str, object_id: str, *, now_us: int) -> Link:
        """Return a presigned URL of the result, whether the result exists or not."""
        return self._store.link(result_key(job_id, object_id), now_us=now_us)

    def read_result(self, job_id: str, object_id: str) -> bytes:
        """Get the result; see `JobFiles.read_result`."""
        return self._store.read(result_key(job_id, object_id))


def source_prefix(job_id: str) -> str:
    """Return the prefix of the keys of a job's photos."""
    return f"{JOB_SOURCE_PREFIX}{job_id}/"


def result_key(job_id: str, object_id: str) -> str:
    """Return the key of a result."""
    return f"{JOB_RESULT_PREFIX}{job_id}/{object_id}"


def split_source_key(key: str) -> tuple[str, str] | None:
    """Return the job id and the source in a photo's key, or None for any other key.

    A key that ends with a slash marks an empty folder that was created in the S3 console.
    """
    job_id, _, source = key.removeprefix(JOB_SOURCE_PREFIX).partition("/")
    is_photo = (
        key.startswith(JOB_SOURCE_PREFIX) and bool(job_id and source) and not source.endswith("/")
    )
    return (job_id, source) if is_photo else None
