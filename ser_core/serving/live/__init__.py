"""Live microphone: the page, its sessions and the endpoint predict."""
