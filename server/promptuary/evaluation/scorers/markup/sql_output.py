"""Scorers for outputs that are SQL, or contain some, and for whether that uses allowed tables and columns only.

sqlglot parses it; promptfoo uses node-sql-parser, which accepts a little less of some dialects. What sqlglot accepts beyond SQL
(single words, bare expressions, commands that it only passes on) is no statement here. sqlparse and sqlfluff were not used:
the one does not validate, the other lints a file.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Self

from pydantic import JsonValue

from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.markup.sql_rules import SqlRules, sql_error
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, ScorerSettings, ScorerType, ScorerValue
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value

BLOCKS_LIMIT = 20
_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})[ \t]*([^\r\n]*)")


@dataclass(frozen=True)
class SqlValue(ScorerValue):
    """The rules for a statement, which may be a template."""

    template: ValueTemplate

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Check the rules, where they are the same for all cases."""
        template = parse_value(value)
        if value is not None and template.constant:
            SqlRules.parse(value)
        return cls(template)


@dataclass(frozen=True)
class IsSql(BaseScorer):
    """Passes if the whole output is SQL that keeps the rules."""

    rules: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Parse the output in a thread, because a long statement takes long."""
        rules = SqlRules.parse(self.rules.fill(sample.case))
        error = await asyncio.to_thread(sql_error, sample.output, rules)
        return self.pass_or_fail(error is None, error or "the output is SQL")


@dataclass(frozen=True)
class ContainsSql(BaseScorer):
    """Passes if a fenced block of the output is SQL that keeps the rules; without a block, if the whole output is."""

    rules: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Parse the blocks in a thread, because a long statement takes long."""
        rules = SqlRules.parse(self.rules.fill(sample.case))
        error = await asyncio.to_thread(_blocks_error, sample.output, rules)
        return self.pass_or_fail(error is None, error or "the output has SQL")


def _blocks_error(text: str, rules: SqlRules) -> str | None:
    error: str | None = "the output has no SQL"
    for block in _fenced_blocks(text)[:BLOCKS_LIMIT] or [text]:
        if block.strip():
            error = sql_error(block, rules)
            if error is None:
                return None
    return error


def _fenced_blocks(text: str) -> list[str]:
    """Return the fenced blocks of a text whose language is SQL or not named."""
    blocks: list[str] = []
    fence, language, body = "", "", [""]
    for line in re.split(r"\r\n?|\n", text):
        mark = _FENCE.fullmatch(line)
        if not fence:
            if mark:
                fence, language, body = mark.group(1), mark.group(2).strip().lower(), []
        elif mark and mark.group(1)[0] == fence[0] and len(mark.group(1)) >= len(fence) and not mark.group(2).strip():
            if language in ("", "sql"):
                blocks.append("\n".join(body).strip())
            fence = ""
        else:
            body.append(line)
    return blocks


def _is_sql(settings: ScorerSettings[SqlValue, NoConfig], _: ScorerDependencies) -> IsSql:
    return IsSql(*settings.base, settings.value.template)


def _contains_sql(settings: ScorerSettings[SqlValue, NoConfig], _: ScorerDependencies) -> ContainsSql:
    return ContainsSql(*settings.base, settings.value.template)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "is-sql": ScorerType(SqlValue, _is_sql),
    "contains-sql": ScorerType(SqlValue, _contains_sql),
}
