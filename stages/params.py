"""Check params.yaml before any other stage runs, and write its schema for editors."""

from pathlib import Path

from reidpipe import params
from reidpipe.errors import UserError, reported
from reidpipe.files import write_json
from reidpipe.undo import take_back_rejected_values


def main() -> None:
    try:
        params.load()
    except UserError:
        take_back_rejected_values()
        raise
    write_json(Path("reports/params.schema.json"), params.Params.model_json_schema())


if __name__ == "__main__":
    with reported():
        main()
