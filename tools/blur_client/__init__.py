"""A typed client of the Background Blur API.

from blur_client import Client

with Client("https://api.example.com", key) as client:
    result = client.blur("photo.jpg", radius=12)
"""

from blur_client.client import Client
from blur_client.errors import ApiError, BlurClientError, ConnectionFailedError
from blur_client.job_documents import Job, JobFailure, ManifestRow
from blur_client.responses import Account, BlurResult
from blur_client.retry_policy import RetryPolicy

__all__ = [
    "Account",
    "ApiError",
    "BlurClientError",
    "BlurResult",
    "Client",
    "ConnectionFailedError",
    "Job",
    "JobFailure",
    "ManifestRow",
    "RetryPolicy",
]
