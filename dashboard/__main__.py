"""`python -m dashboard PORT API [HOST]` serves the dashboard."""

from __future__ import annotations

import os
import sys

from dashboard.launch import command

arguments = command(int(sys.argv[1]), *sys.argv[2:])
os.execv(arguments[0], arguments)
