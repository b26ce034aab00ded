"""The vocabulary check: `python tests/architecture/vocabulary.py [PATH…]` lists words that the glossary replaces.

Docstrings of functions begin with a verb of `VERBS`. The words of `PROSE` stand in no docstring, comment, message or page;
the names of `NAMES` are bound nowhere in the code. Messages are string literals of the product that contain a space; the
tests' literals are data and are not read. The table and its reasons for people: docs/glossary.md.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("evals/README.md", "prompts/README.md", "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
NAME_LIMIT = 78  # of a test's name with its prefix `test_`; the claim itself has about 70 characters

# Verbs in the imperative that docstrings of functions begin with; the field's ordinary ones.
VERBS = frozenset(
    """
    abort accept acquire add adjust advance aggregate allow answer append apply approve archive arrange ask assemble assert
    assign attach authenticate authorize await begin bind block build cache calculate call cancel capture cast change check
    choose claim classify clear click close collect combine commit compare compile compose compute configure confirm connect
    consume contain continue convert copy correct count cover create cut deactivate decide declare decode decorate decrease
    defer define delete deliver derive describe deserialize detach detect determine disable discard disconnect dispatch display
    divide download draw drive drop dump embed emit enable encode end enforce enqueue ensure enter erase escape estimate
    evaluate exclude execute exit expand expect expire explain export expose extend extract fail fetch fill filter find finish
    fit flatten flush fold follow forbid fork format forward freeze generate get grant group guard handle hash hide highlight
    identify ignore import include increase increment index infer ingest inherit initialise initialize insert inspect install
    instantiate interpolate interpret invalidate invoke iterate join judge keep kill label lease limit link list listen load
    locate lock log look_up make map mark mask match measure merge migrate mock monitor move name normalise normalize notify
    number obtain omit open order override pack pad pair park parse partition pass patch pause perform persist pick plan plot
    poll populate post prefetch prepare prevent print process project propagate protect provide publish pull purge push put
    query queue quote raise rank read rebuild receive recompute record recover redact redirect reduce refresh refuse register
    reject relay release reload remove rename render repeat replace replay reply report represent request require rerun resample
    reserve reset resolve respond restore restrict resume retrieve retry return reveal reverse revert revoke rewrite roll rotate
    round route run sample save scale scan schedule score search select send separate serialize serve set settle share shorten
    show shut sign simulate skip sleep sort spawn specify split start stop store stream strip style submit subscribe subtract
    suggest sum summarise summarize suppress swap switch synchronise synchronize tag take terminate test throttle time toggle
    track train transform translate traverse trigger trim truncate try tune type undo unlock unpack unregister unwrap update
    upgrade upload use validate verify view visit wait wake walk warn weight wrap write yield
    """.split()
)

# Words of prose and what to write instead; regular expressions, case-insensitive, matched at word boundaries.
PROSE: Mapping[str, str] = {
    r"tells?|told|telling": "report, notify, state, show",
    r"said|says?|saying": "state, report, send, contain, describe; text, message",
    r"anew|afresh": "again",
    r"go(?:es)? on|going on|went on|goes? along": "continue, resume",
    r"come(?:s)? upon|came upon": "encounter, find",
    r"borne|bears?|bore": "tolerated, accepted, carries",
    r"reckon(?:s|ed|ing)?": "compute",
    r"dearest": "most expensive",
    r"whoever|whomever": "the caller, the worker, anyone who",
    r"under way|underway": "in flight, running, pending",
    r"ceilings?": "cost limit",
    r"purses?": "budget",
    r"(?:a|free|no|one|many|more|all) hands?|hands free": "worker",
    r"resemblances?|gists?": "similarity, summary text",
    r"fittings?": "components",
    r"faults?": "error, failure, defect",
    r"misfits?": "type mismatch",
    r"discreet(?:ly)?": "redacted, sensitive",
    r"uncarried|borne out|outlook|turn(?:s|ed)? round": "unsupported, supported, projected state, swap",
    r"unheard|heed(?:s|ed)?|behold|lest|ere|whence|whither|thence|thereof|therein|wherein|hitherto": "plain words",
    r"by and by|for ever|to and fro|in the end": "later, forever, finally",
    r"ledgers?": "label history, budget",
    r"lays? down|laid down|comes? to be": "plain words",
    r"held|holds?|holding": "lease, lock, cached, stored, contain, keep, apply: the one that is meant",
    r"is left to|are left to|be left to": "is delegated to",
    r"asks? for|asked for": "request, need, require",
    r"of its own accord|of one's own": "own, separate",
    r"in words|with words|in one's words": "with a message",
}

# Names that say nothing of the thing they name, or that mean another thing elsewhere in the product.
NAMES: Mapping[str, str] = {
    "found": "the noun: version, run, rows, match",
    "one": "the noun of the loop",
    "made": "the noun",
    "given": "the noun: value, arguments",
    "told": "message, reported, output",
    "said": "text, output, message",
    "held": "lease, cached, stored",
    "gone": "deleted, missing, ended",
    "kept": "stored, retained",
    "taken": "the noun",
    "wanted": "expected, selector",
    "asked": "requested, query",
    "shown": "visible text, rows",
    "done_by": "runner",
    "hands": "workers",
    "hand": "worker",
    "ours": "the side's name: candidate, local",
    "theirs": "the side's name: baseline, remote",
    "faults": "errors, field_errors",
    "fault": "error",
    "purse": "budget",
    "ceiling": "cost_limit",
    "books": "accounting",
    "ledger": "label_history, budget",
    "fittings": "components",
    "misfit": "type_mismatch",
    "discreet": "redacted, sensitive",
    "standing": "freshness, progress",
    "lay": "create_…, write_…",
    "ground": "create_…",
    "pressed": "click_…",
    "submitted": "the noun: run",
    "answers": "responses, replies, outputs",
    "helper": "the noun of what it does",
    "helpers": "the noun of what it does",
    "utils": "the noun of what it does",
    "misc": "the noun of what it does",
    "manager": "the noun of what it does",
}
_PARTS = frozenset(
    {"told", "faults", "fault", "purse", "ceiling", "discreet", "discreetly", "misfit", "anew", "borne", "fittings"}
)

# What stays although a rule names it: (path prefix, rule's text as matched, lower case) → reason.
EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("server/promptuary/migrations/versions/", "ledger"): "name of a table that released databases have",
    ("docs/glossary.md", "*"): "the page lists the words that are not used",
    ("tests/architecture/vocabulary.py", "*"): "the list of the words itself",
    ("server/promptuary/prompt/errors.py", "faults"): "public name until 0.3.0, still readable",
    ("server/promptuary/client/errors.py", "faults"): "public name until 0.3.0, still readable",
    ("server/promptuary/evaluation/scorers/judge/graded.py", "say"): "text of a judge prompt, part of its digest",
    ("server/promptuary/evaluation/scorers/judge/graded.py", "says"): "text of a judge prompt, part of its digest",
    ("server/promptuary/evaluation/scorers/judge/graded.py", "bears"): "text of a judge prompt, part of its digest",
    ("server/promptuary/evaluation/scorers/judge/rag.py", "holds"): "text of a judge prompt, part of its digest",
    ("server/promptuary/evaluation/scorers/judge/rag.py", "say"): "text of a judge prompt, part of its digest",
    ("server/promptuary/evaluation/scorers/judge/rag.py", "says"): "text of a judge prompt, part of its digest",
    ("server/promptuary/evaluation/scorers/judge/select_best.py", "say"): "text of a judge prompt, part of its digest",
    ("server/promptuary/evaluation/scorers/judge_task.py", "asked for"): "text of a judge prompt's schema, part of its digest",
    ("CHANGELOG.md", "*"): "history of released versions",
}

_PROSE = {re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE): instead for pattern, instead in PROSE.items()}
_CODE = re.compile(r"```.*?```|`[^`]*`|<[^>]+>|\]\([^)]*\)|https?://\S+", re.DOTALL)


@dataclass(frozen=True, order=True)
class Violation:
    """One place that breaks a rule of the vocabulary."""

    path: str
    line: int
    text: str
    instead: str

    def __str__(self) -> str:
        """Return the place as editors read it, with what to write instead."""
        return f"{self.path}:{self.line}: {self.text!r}: write {self.instead}"


def violations(paths: Iterable[Path], root: Path = ROOT) -> list[Violation]:
    """Return every violation in the files and below the folders, sorted by place."""
    result: list[Violation] = []
    for path in _files(paths):
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        source = path.read_text(encoding="utf-8")
        check = _python if path.suffix == ".py" else _markdown
        result += [violation for violation in check(name, source) if not _is_exception(violation)]
    return sorted(result)


def _is_exception(violation: Violation) -> bool:
    return any(violation.path.startswith(path) and word in ("*", violation.text.lower()) for path, word in EXCEPTIONS)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (
                file for file in sorted(path.rglob("*")) if file.suffix in {".py", ".md"} and "golden" not in file.parts
            )
        elif path.suffix in {".py", ".md"}:
            yield path


def _markdown(name: str, source: str) -> Iterator[Violation]:
    # Code is blanked but keeps its line breaks, so that lines are counted right.
    prose = _CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)
    for number, line in enumerate(prose.split("\n"), 1):
        yield from _prose(name, number, line)


def _prose(name: str, line: int, text: str) -> Iterator[Violation]:
    text = re.sub(r"``?[^`]*``?", lambda match: " " * len(match.group()), text)
    for pattern, instead in _PROSE.items():
        for match in pattern.finditer(text):
            yield Violation(name, line + text.count("\n", 0, match.start()), match.group(), instead)


def _python(name: str, source: str) -> Iterator[Violation]:
    tree = ast.parse(source)
    is_test = name.startswith("tests/")
    yield from _comments(name, source)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = _docstring(node)
            if docstring is not None:
                docstrings.add(id(docstring))
                yield from _prose(name, docstring.lineno, str(docstring.value))
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from _first_verb(name, node, str(docstring.value))
    for node in ast.walk(tree):
        yield from _names(name, node, is_test=is_test)
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and not is_test and id(node) not in docstrings and " " in node.value.strip():  # type: ignore[attr-defined] # is_text
            yield from _prose(name, node.lineno, node.value)  # type: ignore[attr-defined] # is_text


def _docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.Constant | None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first.value
    return None


def _comments(name: str, source: str) -> Iterator[Violation]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from _prose(name, token.start[0], token.string)


def _first_verb(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef, docstring: str) -> Iterator[Violation]:
    """Yield a violation where a docstring does not begin with a known imperative; properties and fixtures aside."""
    decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
    if any(word in decorators for word in ("property", "fixture", "setter", "validator")):
        return
    if node.name.startswith("test_"):
        return
    first = re.match(r"[\w-]+", docstring.strip())
    verb = (first.group() if first else "").lower()
    if verb not in VERBS and not docstring.strip().lower().startswith("look up"):
        yield Violation(
            name,
            node.lineno,
            first.group() if first else docstring[:10],
            "a verb in the imperative (Return, Raise, Compute, …)",
        )


def _names(name: str, node: ast.AST, *, is_test: bool) -> Iterator[Violation]:
    bound: list[tuple[str, int]] = []
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        bound.append((node.id, node.lineno))
    elif isinstance(node, ast.arg):
        bound.append((node.arg, node.lineno))
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        bound.append((node.name, node.lineno))
        if is_test and node.name.startswith("test_") and len(node.name) > NAME_LIMIT:
            yield Violation(name, node.lineno, node.name, f"a claim of at most {NAME_LIMIT} characters")
            return
    for identifier, line in bound:
        parts = set(re.findall(r"[a-z]+", re.sub(r"([A-Z])", r"_\1", identifier).lower()))
        if identifier.strip("_") in NAMES:
            yield Violation(name, line, identifier, NAMES[identifier.strip("_")])
        elif parts & _PARTS and not identifier.startswith("test_"):
            yield Violation(name, line, identifier, "the field's word (docs/glossary.md)")


def main() -> int:
    """Print every violation of the paths on the command line, or of the whole project; return the exit code."""
    paths = [Path(argument).resolve() for argument in sys.argv[1:]]
    project = [ROOT / name for name in ("server", "ui", "tests", "docs", *PAGES)]
    all_violations = violations(paths or project)
    for violation in all_violations:
        print(violation)  # noqa: T201 # a command prints
    print(f"{len(all_violations)} violations", file=sys.stderr)  # noqa: T201
    return 1 if all_violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
