"""What the report stage writes: tables, the claims ledger, figures and the page."""
