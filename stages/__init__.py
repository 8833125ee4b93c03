"""The stages of dvc.yaml: each reads its part of the plan, calls one function, writes files."""

from reidpipe.runtime.process import settle

settle()  # before any of them loads torch
