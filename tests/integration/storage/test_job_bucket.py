"""The photos and results of bulk jobs in a bucket."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from tests.faults.garbage import faults
from tests.faults.relay import relay

from blur.clock import now
from blur.errors import ApiError, ImageTooLargeError, UnavailableError, UploadNotFoundError
from blur.storage.bucket import open_client
from blur.storage.job_bucket import JobBucket, split_source_key
from blur.storage.location import open_storage
from blur.storage.ports import LINK_TTL_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.relay import Fault
    from tests.integration.storage.s3_server import S3Server

    from blur.storage.ports import PresignedForm

S3Client = Any
"""The type is `Any`, because botocore creates its clients' classes at run time."""
BUCKET = "media"
MAX_BYTES = 20
NAMES = [
    "cat.jpg",
    "a folder/dog.jpg",
    "über/Füchse & Hühner+50%.jpg",
    "日本/写真.png",
    "#1?.webp",
    "<&>.jpg",
    "job-sources/x/y.jpg",
]
FAULTS = faults()


@pytest.fixture
def client(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    client = open_client()
    yield client
    client.close()


@pytest.fixture
def files(client: S3Client) -> JobBucket:
    return JobBucket(BUCKET, client)


def send(form: PresignedForm, key: str, data: bytes, **more: str) -> int:
    fields = {**form.fields, **more, "key": key}
    return requests.post(form.url, data=fields, files={"file": data}, timeout=30).status_code


def presign(files: JobBucket, job_id: str) -> PresignedForm:
    return files.presign_sources(job_id, max_bytes=MAX_BYTES, now_us=now())


def test_one_form_uploads_photos_with_any_names(files: JobBucket) -> None:
    form = presign(files, "names")
    assert [send(form, form.prefix + name, name.encode()[:MAX_BYTES]) for name in NAMES] == [
        204
    ] * len(NAMES)
    assert sorted(files.list_sources("names")) == sorted(NAMES)
    for name in NAMES:
        read = files.read_source("names", name, max_bytes=MAX_BYTES)
        assert read == name.encode()[:MAX_BYTES]


def test_an_upload_form_of_a_job_is_valid_for_as_long_as_a_download_link(files: JobBucket) -> None:
    form = files.presign_sources("expiry", max_bytes=MAX_BYTES, now_us=5)
    assert form.expires_us == 5 + LINK_TTL_S * 1_000_000


def test_a_form_accepts_only_object_keys_of_its_job(files: JobBucket) -> None:
    form = presign(files, "mine")
    for key in ("job-sources/other/a.jpg", "uploads/a", "job-results/mine/a", "job-sources/min"):
        assert send(form, key, b"1") == 403
    assert list(files.list_sources("other")) == []


@pytest.mark.parametrize("data", [b"", bytes(MAX_BYTES + 1)], ids=["empty", "too long"])
def test_a_presigned_form_rejects_empty_and_too_large_photos(files: JobBucket, data: bytes) -> None:
    form = presign(files, "sizes")
    assert send(form, f"{form.prefix}a.jpg", data) == 403


def test_form_rejects_fields_that_are_not_in_its_policy(files: JobBucket) -> None:
    form = presign(files, "fields")
    assert send(form, f"{form.prefix}a.jpg", b"1", acl="public-read") == 403


def test_policy_of_a_form_allows_all_keys_with_the_prefix_of_the_job(files: JobBucket) -> None:
    form = presign(files, "policy")
    policy = json.loads(base64.b64decode(form.fields["policy"]))
    assert ["starts-with", "$key", "job-sources/policy/"] in policy["conditions"]
    assert "key" not in form.fields


def test_photos_of_job12_are_not_listed_as_photos_of_job1(files: JobBucket) -> None:
    for job_id in ("job1", "job12"):
        form = presign(files, job_id)
        assert send(form, f"{form.prefix}{job_id}.jpg", b"1") == 204
    assert list(files.list_sources("job1")) == ["job1.jpg"]


def test_photos_on_several_pages_of_the_listing_are_each_listed_once(
    files: JobBucket, client: S3Client
) -> None:
    def in_pages_of_two(params: dict[str, Any], **_: object) -> None:
        params["MaxKeys"] = 2

    client.meta.events.register("provide-client-params.s3.ListObjectsV2", in_pages_of_two)
    names = [f"{number}.jpg" for number in range(5)]
    for name in names:
        client.put_object(Bucket=BUCKET, Key=f"job-sources/pages/{name}", Body=b"1")
    assert list(files.list_sources("pages")) == names


def test_keys_that_end_with_a_slash_are_not_listed_as_photos(
    files: JobBucket, client: S3Client
) -> None:
    for key in ("job-sources/marks/", "job-sources/marks/cats/", "job-sources/marks/cats/a.jpg"):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"")
    assert list(files.list_sources("marks")) == ["cats/a.jpg"]


@pytest.mark.parametrize(
    "key", ["uploads/a", "job-sources/a.jpg", "job-sources//a.jpg", "job-sources/a/b/", ""]
)
def test_split_source_key_returns_none_for_a_key_that_does_not_belong_to_a_photo(key: str) -> None:
    assert split_source_key(key) is None


def test_reading_a_missing_photo_raises_an_upload_not_found_error(files: JobBucket) -> None:
    with pytest.raises(UploadNotFoundError):
        files.read_source("none", "a.jpg", max_bytes=MAX_BYTES)


def test_the_size_limit_also_applies_to_a_photo_that_an_operator_copied_to_the_bucket(
    files: JobBucket, client: S3Client
) -> None:
    client.put_object(Bucket=BUCKET, Key="job-sources/large/a.jpg", Body=bytes(MAX_BYTES + 1))
    with pytest.raises(ImageTooLargeError):
        files.read_source("large", "a.jpg", max_bytes=MAX_BYTES)


def test_photos_of_a_job_are_copied_to_the_s3_url_with_the_prefix_of_the_upload_form(
    files: JobBucket,
) -> None:
    assert files.copy_target("a") == f"s3://{BUCKET}/{presign(files, 'a').prefix}"


def test_link_of_a_result_returns_its_latest_bytes_with_media_type_and_file_name(
    files: JobBucket,
) -> None:
    for data in (b"first", b"second"):
        files.write_result("links", "0f", data, content_type="image/png", file_name="cat.png")
    link = files.link_result("links", "0f", now_us=now())
    response = requests.get(link.url, timeout=30)
    assert (response.content, response.headers["Content-Type"]) == (b"second", "image/png")
    assert response.headers["Content-Disposition"] == 'inline; filename="cat.png"'
    assert files.read_result("links", "0f") == b"second"


def test_reading_a_missing_result_raises_an_upload_not_found_error(files: JobBucket) -> None:
    with pytest.raises(UploadNotFoundError):
        files.read_result("none", "0f")


def test_listing_and_writing_in_a_missing_bucket_raise_an_unavailable_error(
    client: S3Client,
) -> None:
    files = JobBucket("no-such-bucket", client)
    with pytest.raises(UnavailableError):
        list(files.list_sources("a"))
    with pytest.raises(UnavailableError):
        files.write_result("a", "0f", b"1", content_type="image/png", file_name="cat.png")


def test_opened_storage_has_a_job_bucket_for_s3_and_none_if_the_setting_is_empty(
    client: S3Client,
) -> None:
    del client  # only needed because its fixture sets the environment variables of the server
    assert isinstance(open_storage(f"s3:{BUCKET}").jobs, JobBucket)
    assert open_storage("").jobs is None


@pytest.mark.parametrize("name", FAULTS)
def test_after_an_invalid_response_a_listing_is_complete_or_raises_an_unavailable_error(
    name: str, s3: S3Server, client: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job ends when all listed photos are processed, so an incomplete list would lose photos."""
    names = [f"{number}.jpg" for number in range(3)]
    for source in names:
        client.put_object(Bucket=BUCKET, Key=f"job-sources/faults/{source}", Body=b"1")
    with relay(s3.url) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", between.url)
        behind = open_client()
        fault: Fault = FAULTS[name]
        with between.failing(fault):
            try:
                listed = list(JobBucket(BUCKET, behind).list_sources("faults"))
            except ApiError as error:
                assert isinstance(error, UnavailableError)  # noqa: PT017 - the error is one of two allowed outcomes
            else:
                assert listed == names
        behind.close()
