"""Sections of params.yaml, a file per stage that reads them; formats/params.py has them all."""
