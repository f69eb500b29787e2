"""Waage: a CRM and CX research workbench."""

__version__ = "0.1.0"
