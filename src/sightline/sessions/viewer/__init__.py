"""A viewer's session: what it does when no answer comes, when the path dies, when it is told why (seeds 001, 003).

Sans-IO. ``web/sdk/viewer_session.js`` is its twin; both run over ``tests/vectors/viewer_session.json``.
"""

from .options import Persistent, RetryOnce, RetryPolicy, ViewerOptions
from .session import ViewerSession

__all__ = ["Persistent", "RetryOnce", "RetryPolicy", "ViewerOptions", "ViewerSession"]
