"""The field's protocol: distances, ranking, re-ranking, verification, confidence."""
