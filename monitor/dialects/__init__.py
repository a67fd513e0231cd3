"""Log formats other than the native one, one a file, and the reader that turns their lines into native events."""
