"""Starts the scripted upstream as a child and says where it is."""

import sys
from pathlib import Path

from processes import Children

PROGRAM = Path(__file__).with_name("scripted_upstream.py")


def start_upstream(children: Children) -> str:
    """Its address, without a path."""
    child = children.start("upstream", [sys.executable, str(PROGRAM)])
    return f"http://127.0.0.1:{child.wait_for_line(r'^port ([0-9]+)$', 20)[1]}"
