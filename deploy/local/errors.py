"""What keeps a server from being had here."""


class NoServer(Exception):
    """Why there is none, in one line, and what to install."""
