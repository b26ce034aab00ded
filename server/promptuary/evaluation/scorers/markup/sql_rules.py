"""The rules for SQL in an output: its dialect, and the tables and columns that it may use; sqlglot parses it."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.scorers.patterns import re2_pattern
from promptuary.prompt.errors import Invalid

SIZE_LIMIT = 50_000
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
"""sqlglot's dialect of each database that promptfoo names."""
_COMMANDS = frozenset(("CALL", "EXPLAIN", "LOCK", "RENAME", "REPLACE", "SHOW", "TRUNCATE", "UNLOCK"))
_MYSQL_COMMANDS = frozenset(("DESCRIBE", "LOCK", "RENAME", "REPLACE", "UNLOCK"))
_EMPTY_LIST_ITEM = re.compile(r",\s*(?:,|\)|from\b)", re.IGNORECASE), re.compile(r",\s*,")
_WORD = "[A-Za-z_][A-Za-z0-9_]*"
_MODIFIERS = "all|distinct"
_MYSQL_MODIFIERS = (
    f"{_MODIFIERS}|distinctrow|high_priority|straight_join|sql_big_result|sql_buffer_result|sql_cache"
    "|sql_calc_found_rows|sql_no_cache|sql_small_result"
)
_COMMENT_OR_QUOTED = re.compile(r"--[^\r\n]*|#[^\r\n]*|/\*.*?(?:\*/|\Z)|('|\"|`)(?:\\.|\1\1|(?!\1)[^\\])*(?:\1|\Z)", re.DOTALL)
_GENERATE_SERIES = re.compile(r"\bgenerate_series\s*\(", re.IGNORECASE)


@dataclass(frozen=True)
class SqlRules:
    """What a statement must keep.

    Attributes:
        database: promptfoo's name of the dialect.
        tables: what it may do with which tables, `action::database::table`, each a pattern for the whole with case ignored;
            `null` stands where none is named. None allows everything.
        columns: as `tables`, `action::table::column`.
    """

    database: str
    tables: tuple[str, ...] | None
    columns: tuple[str, ...] | None

    @classmethod
    def parse(cls, value: Any) -> "SqlRules":
        """Parse promptfoo's `{databaseType, allowedTables, allowedColumns}`; an empty value means MySQL's syntax alone.

        Raises:
            Invalid: for a dialect that is not known, or what is no such object.
        """
        body = value or {}
        if not isinstance(body, dict) or body.keys() - {"databaseType", "allowedTables", "allowedColumns"}:
            raise Invalid("must be an object of databaseType, allowedTables and allowedColumns")
        database = body.get("databaseType") or "MySQL"
        if not isinstance(database, str) or database.lower() not in DIALECTS:
            raise Invalid(f"does not know the databaseType '{str(database)[:50]}'; known are {', '.join(DIALECTS)}")
        return cls(database, _parse_patterns(body.get("allowedTables")), _parse_patterns(body.get("allowedColumns")))

    @property
    def dialect(self) -> str:
        """Sqlglot's name of the dialect."""
        return DIALECTS[self.database.lower()]


def _parse_patterns(patterns: Any) -> tuple[str, ...] | None:
    if patterns is None:
        return None
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise Invalid("must have allowedTables and allowedColumns as lists of texts")
    for pattern in patterns:
        re2_pattern.compile_pattern(pattern)
    return tuple(patterns)


def sql_error(text: str, rules: SqlRules) -> str | None:
    """Return what is wrong with a text as SQL, or None."""
    not_sql = f"the output is not {rules.database} SQL"
    if not text.strip():
        return "the output is empty"
    if len(text) > SIZE_LIMIT or _is_refused_by_promptfoo(text, rules):
        return not_sql
    try:
        statements = _parse(text, rules.dialect)
    except RecursionError:
        return f"{not_sql}: it is nested too deep"
    except ValueError as error:
        return f"{not_sql}: {next(iter(str(error).splitlines()), '')[:200]}"
    if not statements or not all(_is_statement(statement, rules.dialect) for statement in statements):
        return not_sql
    return _access_error(statements, rules)


def _parse(text: str, dialect: str) -> list[Any]:
    """Parse statements.

    Raises:
        ValueError: for what is no SQL.
        RecursionError: for what is nested too deep.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it would log outputs
    try:
        return [statement for statement in sqlglot.parse(text, dialect=dialect or None) if statement is not None]
    except SqlglotError as error:
        raise ValueError(str(error)) from None


def _is_refused_by_promptfoo(text: str, rules: SqlRules) -> bool:
    """Return whether a text has what sqlglot accepts and promptfoo's parser does not."""
    plain = _COMMENT_OR_QUOTED.sub(lambda match: " ? " if match.group(1) else " ", text)
    empty_item = _EMPTY_LIST_ITEM[rules.dialect == "bigquery"]
    if text.count("`") % 2 or _lacks_comma(plain, rules.dialect) or empty_item.search(plain):
        return True
    return rules.database.lower() == "mysql" and _GENERATE_SERIES.search(text) is not None


def _lacks_comma(plain: str, dialect: str) -> bool:
    """Return whether two names stand between SELECT and FROM as if a comma were missing."""
    modifiers = _MYSQL_MODIFIERS if dialect == "mysql" else _MODIFIERS
    pattern = rf"\bselect\s+(?:(?:{modifiers})\s+)*(?!(?:{modifiers})\b){_WORD}\s+{_WORD}\s+from\b"
    return re.search(pattern, plain, re.IGNORECASE) is not None


def _is_statement(statement: Any, dialect: str) -> bool:
    from sqlglot import exp

    if isinstance(statement, exp.Command | exp.Describe | exp.Show):
        word = str(statement.this).upper() if isinstance(statement, exp.Command) else statement.key.upper()
        supported = word != "SHOW" or dialect not in ("sqlite", "tsql", "bigquery")
        return (word in _COMMANDS or word == "DESCRIBE") and (dialect == "mysql" or word not in _MYSQL_COMMANDS) and supported
    if isinstance(statement, exp.Subquery):
        return _is_statement(statement.this, dialect)
    if isinstance(statement, exp.Select | exp.Update) and not statement.expressions:
        return False
    kinds = (exp.Query, exp.DML, exp.Create, exp.Drop, exp.Alter, exp.TruncateTable, exp.Use, exp.Set, exp.Transaction)
    more = (exp.Commit, exp.Rollback, exp.Analyze, exp.Declare) + (() if dialect == "sqlite" else (exp.Grant,))
    return isinstance(statement, kinds + more) and not isinstance(statement, exp.Table)


def _access_error(statements: list[Any], rules: SqlRules) -> str | None:
    """Return which tables or columns are used without being allowed, or None."""
    if rules.tables is not None and (refused := _not_allowed(_used_tables(statements), rules.tables)):
        return f"uses tables that are not allowed: {', '.join(refused[:5])}"
    if rules.columns is not None and (refused := _not_allowed(_used_columns(statements), _with_bare_names(rules.columns))):
        return f"uses columns that are not allowed: {', '.join(refused[:5])}"
    return None


def _action(statement: Any) -> str:
    from sqlglot import exp

    kinds = {exp.Insert: "insert", exp.Update: "update", exp.Delete: "delete", exp.Create: "create", exp.Drop: "drop"}
    return next((name for kind, name in kinds.items() if isinstance(statement, kind)), "select")


def _used_tables(statements: Iterable[Any]) -> Iterator[str]:
    """Yield `action::database::table` for each table that is used."""
    from sqlglot import exp

    for statement in statements:
        subqueries = {subquery.alias for subquery in statement.find_all(exp.CTE)}
        target = statement.find(exp.Table) if _action(statement) != "select" else None
        for table in statement.find_all(exp.Table):
            if table.name and table.name not in subqueries:
                action = _action(statement) if table is target else "select"
                yield f"{action}::{table.db or 'null'}::{table.name}"


def _used_columns(statements: Iterable[Any]) -> Iterator[str]:
    """Yield `action::table::column` for each column that is used; `(.*)` stands for all."""
    from sqlglot import exp

    for statement in statements:
        action = _action(statement)
        aliases = {table.alias: table.name for table in statement.find_all(exp.Table) if table.alias}
        assigned = {id(assignment.this) for assignment in statement.expressions} if action == "update" else set()
        for column in statement.find_all(exp.Column):
            table = aliases.get(column.table, column.table) or "null"
            name = "(.*)" if column.name == "*" else column.name
            yield f"{'update' if id(column) in assigned else 'select'}::{table}::{name}"
        for star in statement.find_all(exp.Star):
            if not isinstance(star.parent, exp.Column | exp.Count):
                yield "select::null::(.*)"
        if action == "delete":
            tables = [statement.this] if isinstance(statement.this, exp.Expression) else statement.args.get("tables") or ()
            for table in tables:  # `DELETE a` alone has no FROM
                yield f"delete::{table.name}::(.*)"
        if action == "insert" and isinstance(statement.this, exp.Schema):
            for column in statement.this.expressions:
                yield f"insert::{statement.this.this.name}::{column.name}"


def _not_allowed(used: Iterable[str], allowed: Iterable[str]) -> list[str]:
    patterns = [re2_pattern.compile_pattern(f"(?i)^(?:{item})$") for item in allowed]
    return [name for name in dict.fromkeys(used) if not any(re2_pattern.matches(pattern, name) for pattern in patterns)]


def _with_bare_names(columns: Iterable[str]) -> list[str]:
    """Return the allowed columns; one that is allowed of a table is also allowed without its table's name."""
    allowed: list[str] = []
    for column in columns:
        parts = column.split("::")
        allowed += [column, f"{parts[0]}::null::{parts[2]}"] if len(parts) == 3 else [column]
    return allowed
