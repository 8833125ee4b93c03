"""The paper's numbers and claims, typed; they keep the digits that the paper prints."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from reidpipe.errors import UserError
from reidpipe.formats import yaml

Column = Literal["rank1", "rank5", "rank10", "mAP"]
LABELS: dict[str, str] = {"rank1": "Rank-1", "rank5": "Rank-5", "rank10": "Rank-10", "mAP": "mAP"}
DATASETS: dict[str, str] = {
    "market1501": "Market-1501",
    "dukemtmc": "DukeMTMC-reID",
    "msmt17": "MSMT17 V1",
}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublishedRow(BaseModel):
    """One row of a table: its columns are the extra keys, in percent."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Decimal]

    method: str
    run: str | None = None
    form: str = ""
    """What the method is called beside its name, where it is trained."""
    note: str = ""
    """Where the form that is trained is not the published one."""

    @property
    def trained_as(self) -> str:
        """What the row is called where it is trained."""
        return f"{self.method} ({self.form})" if self.form else self.method

    @property
    def values(self) -> dict[str, Decimal]:
        """Percent per column, with the decimals as printed."""
        return self.__pydantic_extra__


class PublishedTable(_Section):
    id: str
    title: str
    dataset: str
    pretrained: bool
    columns: tuple[Column, ...]
    rows: tuple[PublishedRow, ...]
    baseline: str | None = None

    @model_validator(mode="after")
    def _rows_fill_the_columns(self) -> Self:
        for row in self.rows:
            if set(row.values) != set(self.columns):
                raise ValueError(f"{row.method}: columns {sorted(row.values)}")
        return self

    def row(self, method: str) -> PublishedRow:
        return next(row for row in self.rows if row.method == method)


class Comparisons(_Section):
    """The method `higher` is above each of `lower` in each of `columns`."""

    table: str
    columns: tuple[Column, ...]
    higher: str
    lower: tuple[str, ...]


class Claim(_Section):
    id: str
    text: str
    by: Decimal | None = None
    """Points that the text names as the size of the difference."""
    note: str = ""
    comparisons: tuple[Comparisons, ...]


class Published(_Section):
    """The whole of reports/published.yaml."""

    tables: tuple[PublishedTable, ...]
    claims: tuple[Claim, ...]
    remarks: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _claims_name_rows_that_exist(self) -> Self:
        rows = {(table.id, row.method) for table in self.tables for row in table.rows}
        for claim in self.claims:
            for part in claim.comparisons:
                for method in (part.higher, *part.lower):
                    if (part.table, method) not in rows:
                        raise ValueError(f"{claim.id}: {part.table} has no row {method!r}")
        return self

    def table(self, name: str) -> PublishedTable:
        return next(table for table in self.tables if table.id == name)


def unpublished(
    tables: Sequence[PublishedTable], kinds: Iterable[tuple[str, bool]]
) -> list[PublishedTable]:
    """A table without rows for each (data set, pretrained) of `kinds` that no table is about."""
    known = {(table.dataset, table.pretrained) for table in tables}
    others = [kind for kind in dict.fromkeys(kinds) if kind not in known]
    return [
        PublishedTable(
            id=f"table{number}",
            title=f"Runs on {DATASETS.get(dataset, dataset)}, "
            f"{'with' if pretrained else 'without'} pre-training",
            dataset=dataset,
            pretrained=pretrained,
            columns=("rank1", "rank5", "rank10", "mAP"),
            rows=(),
        )
        for number, (dataset, pretrained) in enumerate(others, start=len(tables) + 1)
    ]


def load(path: Path) -> Published:
    """Read reports/published.yaml.

    Raises:
        UserError: it is missing, not YAML, or a row or claim does not fit its table.
    """
    try:
        content = yaml.strings(path.read_bytes(), path, "the paper's numbers")
        return Published.model_validate(content)
    except FileNotFoundError:
        raise UserError(
            "the paper's numbers are missing", where=path, fix="git restore it"
        ) from None
    except ValidationError as error:
        raise UserError("the paper's numbers do not fit", where=path, found=error) from None
