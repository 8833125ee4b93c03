"""Figures and photographs."""
