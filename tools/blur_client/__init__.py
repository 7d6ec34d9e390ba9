"""A typed client of the Background Blur API.

from blur_client import Client

with Client("https://api.example.com", key) as client:
    blurred = client.blur("photo.jpg", radius=12)
"""

from blur_client.answers import Account, Blurred
from blur_client.client import Client
from blur_client.errors import ApiError, BlurClientError, ConnectionFailedError
from blur_client.patience import Patience

__all__ = [
    "Account",
    "ApiError",
    "BlurClientError",
    "Blurred",
    "Client",
    "ConnectionFailedError",
    "Patience",
]
