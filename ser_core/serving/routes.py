"""Other programs and the live microphone: thin adapters over the library, for a web server that runs both.

The only folder in ser_core that knows FastAPI and Gradio; nothing of either is imported here.
"""

import threading

API_PATH = "/api/v1"  # REST
LIVE_PATH = "/api/live"  # Gradio

is_serving = threading.Event()
"""Set while this process answers under these paths."""

live_is_up = threading.Event()
"""Set while the live page answers at once; before, who asks for it waits until it is built."""
