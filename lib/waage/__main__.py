"""`python -m waage` is the command `waage`."""

from waage.cli import app

app()
