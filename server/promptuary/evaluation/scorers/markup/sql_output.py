"""Scorers that ask whether an output is SQL, or holds some, and whether it keeps to tables and columns that are allowed.

sqlglot parses it; promptfoo goes by node-sql-parser, which takes a little less of some dialects. What sqlglot takes beyond SQL
(single words, bare expressions, commands it only passes on) is no statement here.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptuary.evaluation.scorers.patterns import re2_pattern
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import ScorerDependencies, ScorerType, validator_of
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value
from promptuary.prompt.errors import Invalid

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.spec import ScorerSpec

SIZE_LIMIT = 50_000
BLOCKS_LIMIT = 20
DIALECTS: Mapping[str, str] = {
    "mysql": "mysql",
    "mariadb": "mysql",
    "postgresql": "postgres",
    "sqlite": "sqlite",
    "transactsql": "tsql",
    "bigquery": "bigquery",
    "snowflake": "snowflake",
    "redshift": "redshift",
    "hive": "hive",
    "athena": "athena",
    "trino": "trino",
    "db2": "",
    "flinksql": "",
}
_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})[ \t]*([^\r\n]*)")
_COMMANDS = frozenset(("CALL", "EXPLAIN", "LOCK", "RENAME", "REPLACE", "SHOW", "TRUNCATE", "UNLOCK"))
_MYSQL_ALONE = frozenset(("DESCRIBE", "LOCK", "RENAME", "REPLACE", "UNLOCK"))
_EMPTY_PLACE = re.compile(r",\s*(?:,|\)|from\b)", re.IGNORECASE), re.compile(r",\s*,")
_WORD = "[A-Za-z_][A-Za-z0-9_]*"
_MODIFIERS = "all|distinct"
_MYSQL_MODIFIERS = (
    f"{_MODIFIERS}|distinctrow|high_priority|straight_join|sql_big_result|sql_buffer_result|sql_cache"
    "|sql_calc_found_rows|sql_no_cache|sql_small_result"
)
_IGNORED = re.compile(r"--[^\r\n]*|#[^\r\n]*|/\*.*?(?:\*/|\Z)|('|\"|`)(?:\\.|\1\1|(?!\1)[^\\])*(?:\1|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Sql(BaseScorer):
    """The output is SQL of the dialect, or (`part`) one of its fenced blocks is, or all of it where there is none."""

    value: ValueTemplate
    part: bool

    async def score(self, sample: ScorerInput) -> Score:
        """Parse in a thread: a long statement takes its time."""
        demands = SqlRules.of(self.value.of(sample.case))
        fault = await asyncio.to_thread(_contained if self.part else sql_error, sample.output, demands)
        return self.answer(fault is None, fault or ("the output has SQL" if self.part else "the output is SQL"))


@dataclass(frozen=True)
class SqlRules:
    """What a statement is held to: its dialect, and what it may touch, `action::database::table` or `…::column`.

    Each is a pattern for the whole, with case left aside; `null` stands where none is named, and None allows everything.
    """

    database: str
    tables: tuple[str, ...] | None
    columns: tuple[str, ...] | None

    @classmethod
    def of(cls, value: Any) -> "SqlRules":
        """Read the value, promptfoo's `{databaseType, allowedTables, allowedColumns}`; nothing is MySQL's syntax alone.

        Raises:
            Invalid: for a dialect that is not known, or what is no such object.
        """
        body = value or {}
        if not isinstance(body, dict) or body.keys() - {"databaseType", "allowedTables", "allowedColumns"}:
            raise Invalid("must be an object of databaseType, allowedTables and allowedColumns")
        database = body.get("databaseType") or "MySQL"
        if not isinstance(database, str) or database.lower() not in DIALECTS:
            raise Invalid(f"does not know the databaseType '{str(database)[:50]}'; known are {', '.join(DIALECTS)}")
        lists = [body.get(key) for key in ("allowedTables", "allowedColumns")]
        for each in lists:
            if each is not None and not (isinstance(each, list) and all(isinstance(item, str) for item in each)):
                raise Invalid("must have allowedTables and allowedColumns as lists of texts")
            for item in each or ():
                re2_pattern.compile_pattern(item)
        tables, columns = (None if each is None else tuple(each) for each in lists)
        return cls(database, tables, columns)


def sql_error(text: str, demands: SqlRules) -> str | None:
    """Say what is wrong with a text as SQL, or None."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    wrong = f"the output is not {demands.database} SQL"
    if not text.strip() or len(text) > SIZE_LIMIT:
        return wrong if text.strip() else "the output is empty"
    dialect = DIALECTS[demands.database.lower()]
    plain = _IGNORED.sub(lambda found: " ? " if found.group(1) else " ", text)
    if text.count("`") % 2 or _lacks_comma(plain, dialect) or _EMPTY_PLACE[dialect == "bigquery"].search(plain):
        return wrong
    if demands.database.lower() == "mysql" and re.search(r"\bgenerate_series\s*\(", text, re.IGNORECASE):
        return wrong
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it would log outputs
    try:
        found = [one for one in sqlglot.parse(text, dialect=dialect or None) if one is not None]
    except RecursionError:
        return f"{wrong}: it is nested too deep"
    except (SqlglotError, ValueError) as error:
        return f"{wrong}: {next(iter(str(error).splitlines()), '')[:200]}"
    if not found or not all(_is_statement(one, exp, dialect) for one in found):
        return wrong
    if demands.tables is not None and (out := _outside(_tables(found, exp), demands.tables)):
        return f"uses tables that are not allowed: {', '.join(out[:5])}"
    if demands.columns is not None and (out := _outside(_columns(found, exp), _also_bare(demands.columns))):
        return f"uses columns that are not allowed: {', '.join(out[:5])}"
    return None


def _contained(text: str, demands: SqlRules) -> str | None:
    fault: str | None = "the output has no SQL"
    for block in _blocks(text)[:BLOCKS_LIMIT] or [text]:
        if block.strip():
            fault = sql_error(block, demands)
            if fault is None:
                return None
    return fault


def _blocks(text: str) -> list[str]:
    """Give the fenced blocks of a text that are SQL by their mark, or have none."""
    blocks: list[str] = []
    fence, language, body = "", "", [""]
    for line in re.split(r"\r\n?|\n", text):
        found = _FENCE.fullmatch(line)
        if not fence:
            if found:
                fence, language, body = found.group(1), found.group(2).strip().lower(), []
        elif found and found.group(1)[0] == fence[0] and len(found.group(1)) >= len(fence) and not found.group(2).strip():
            if language in ("", "sql"):
                blocks.append("\n".join(body).strip())
            fence = ""
        else:
            body.append(line)
    return blocks


def _lacks_comma(plain: str, dialect: str) -> bool:
    """Tell whether two names stand between SELECT and FROM as if a comma were missing; promptfoo refuses that."""
    modifiers = _MYSQL_MODIFIERS if dialect == "mysql" else _MODIFIERS
    pattern = rf"\bselect\s+(?:(?:{modifiers})\s+)*(?!(?:{modifiers})\b){_WORD}\s+{_WORD}\s+from\b"
    return re.search(pattern, plain, re.IGNORECASE) is not None


def _is_statement(found: Any, exp: Any, dialect: str) -> bool:
    if isinstance(found, exp.Command | exp.Describe | exp.Show):
        word = str(found.this).upper() if isinstance(found, exp.Command) else found.key.upper()
        shows = word != "SHOW" or dialect not in ("sqlite", "tsql", "bigquery")
        return (word in _COMMANDS or word == "DESCRIBE") and (dialect == "mysql" or word not in _MYSQL_ALONE) and shows
    if isinstance(found, exp.Subquery):
        return _is_statement(found.this, exp, dialect)
    if isinstance(found, exp.Select | exp.Update) and not found.expressions:
        return False
    kinds = (exp.Query, exp.DML, exp.Create, exp.Drop, exp.Alter, exp.TruncateTable, exp.Use, exp.Set, exp.Transaction)
    more = (exp.Commit, exp.Rollback, exp.Analyze, exp.Declare) + (() if dialect == "sqlite" else (exp.Grant,))
    return isinstance(found, kinds + more) and not isinstance(found, exp.Table)


def _action(statement: Any, exp: Any) -> str:
    kinds = {exp.Insert: "insert", exp.Update: "update", exp.Delete: "delete", exp.Create: "create", exp.Drop: "drop"}
    return next((name for kind, name in kinds.items() if isinstance(statement, kind)), "select")


def _tables(statements: Iterable[Any], exp: Any) -> Iterator[str]:
    for statement in statements:
        names = {one.alias for one in statement.find_all(exp.CTE)}
        target = statement.find(exp.Table) if _action(statement, exp) != "select" else None
        for table in statement.find_all(exp.Table):
            if table.name and table.name not in names:
                action = _action(statement, exp) if table is target else "select"
                yield f"{action}::{table.db or 'null'}::{table.name}"


def _columns(statements: Iterable[Any], exp: Any) -> Iterator[str]:
    for statement in statements:
        action = _action(statement, exp)
        aliases = {one.alias: one.name for one in statement.find_all(exp.Table) if one.alias}
        set_ = {id(one.this) for one in statement.expressions} if action == "update" else set()
        for column in statement.find_all(exp.Column):
            table = aliases.get(column.table, column.table) or "null"
            yield f"{'update' if id(column) in set_ else 'select'}::{table}::{_starred(column.name)}"
        for star in statement.find_all(exp.Star):
            if not isinstance(star.parent, exp.Column | exp.Count):
                yield "select::null::(.*)"
        if action == "delete":
            yield f"delete::{statement.this.name}::(.*)"
        if action == "insert" and isinstance(statement.this, exp.Schema):
            for one in statement.this.expressions:
                yield f"insert::{statement.this.this.name}::{one.name}"


def _starred(name: str) -> str:
    return "(.*)" if name == "*" else name


def _outside(used: Iterable[str], allowed: Iterable[str]) -> list[str]:
    patterns = [re2_pattern.compile_pattern(f"(?i)^(?:{item})$") for item in allowed]
    return [one for one in dict.fromkeys(used) if not any(re2_pattern.matches(each, one) for each in patterns)]


def _also_bare(columns: Iterable[str]) -> list[str]:
    """Let a column that is allowed of a table be named without its table, too."""
    out: list[str] = []
    for column in columns:
        parts = column.split("::")
        out += [column, f"{parts[0]}::null::{parts[2]}"] if len(parts) == 3 else [column]
    return out


def _check(value: Any) -> None:
    if value is not None and parse_value(value).constant:
        SqlRules.of(value)


def _kind(*, part: bool) -> ScorerType:
    def build(spec: "ScorerSpec", _: ScorerDependencies) -> Sql:
        return Sql(spec.metric, spec.weight, spec.inverse, parse_value(spec.value), part)

    return ScorerType(validator_of(_check), build)


SCORER_TYPES: dict[str, ScorerType] = {"is-sql": _kind(part=False), "contains-sql": _kind(part=True)}
