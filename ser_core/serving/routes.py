"""Paths of the REST API and the live page, and the state of the server.

Without FastAPI and Gradio, which only this package of ser_core imports, so that pages can use it.
"""

import threading

API_PATH = "/api/v1"  # REST
LIVE_PATH = "/api/live"  # Gradio

is_serving = threading.Event()
"""Set while this process serves these paths."""

live_is_up = threading.Event()
"""Set while the live page is ready; before that, its requests wait until it is built."""
