"""Personas from types or segments: every statement is a finding with its number."""
