"""The commands of `promptuary`: where each is defined, and its line in the help."""

from promptuary.cli.lazy_group import LazyCommand, LazyGroup

_RUN = "Run"
_REGISTRY = "Registry"
_EVALUATION = "Evaluation and review"
COMMANDS = (
    LazyCommand(
        "init",
        "service.commands",
        "init",
        _RUN,
        "Create the data directory with its database, and an operator's key, which is printed only now.",
    ),
    LazyCommand(
        "up",
        "service.commands",
        "up",
        _RUN,
        "Run everything: API, worker, UI, Chroma and MLflow's UI; Ctrl-C stops them together.",
    ),
    LazyCommand("serve", "service.commands", "serve", _RUN, "Run the API."),
    LazyCommand(
        "worker",
        "service.commands",
        "worker",
        _RUN,
        "Run the worker: evaluation runs, schedules, and deliveries to Chroma and MLflow.",
    ),
    LazyCommand("ui", "service.commands", "ui", _RUN, "Run the Streamlit app, on the API at PROMPTUARY_URL."),
    LazyCommand(
        "demo",
        "demo.loop",
        "demo",
        _RUN,
        "Run the whole loop once: sync, evaluate, review, correct a judge, replay traffic; then keep everything running.",
    ),
    LazyCommand("doctor", "service.commands", "doctor", _RUN, "Check this installation; exit 1 where a check fails."),
    LazyCommand(
        "push", "registry.prompts", "push", _REGISTRY, "Register one prompt file; print similar prompts to standard error."
    ),
    LazyCommand(
        "get",
        "registry.prompts",
        "get",
        _REGISTRY,
        "Get one version, as a lookup returns it now or would have at a time in the past.",
    ),
    LazyCommand(
        "render",
        "registry.prompts",
        "render",
        _REGISTRY,
        "Render a version with variables, and with the passages that its context retrieves.",
    ),
    LazyCommand(
        "diff", "registry.diff", "diff", _REGISTRY, "Compare two versions of a prompt, or a prompt file with a version."
    ),
    LazyCommand("prompts", "registry.prompts", "prompts", _REGISTRY, "List the prompts and their labels."),
    LazyCommand("search", "registry.search", "search", _REGISTRY, "Search for prompts by their purpose."),
    LazyCommand("similar", "registry.search", "similar", _REGISTRY, "Find other prompts with a similar text."),
    LazyCommand(
        "uses",
        "registry.lifecycle",
        "uses",
        _REGISTRY,
        "List the versions in use that include a prompt, each with the newer version that `renew` would include.",
    ),
    LazyCommand(
        "renew",
        "registry.lifecycle",
        "renew",
        _REGISTRY,
        "Register a prompt's newest version again with the present versions of what it includes; no label moves.",
    ),
    LazyCommand(
        "archive",
        "registry.lifecycle",
        "archive",
        _REGISTRY,
        "Archive a prompt: its labels no longer resolve and lists omit it; nothing is deleted.",
    ),
    LazyCommand("restore", "registry.lifecycle", "restore", _REGISTRY, "Restore an archived prompt."),
    LazyCommand(
        "erase",
        "registry.lifecycle",
        "erase",
        _REGISTRY,
        "Erase the content of a version for good; number, digest and history stay. For operators.",
    ),
    LazyCommand(
        "export",
        "transfer.bundle",
        "export",
        _REGISTRY,
        "Export prompts into a bundle: the versions under labels and the newest, for clients that start offline; "
        "or everything.",
    ),
    LazyCommand(
        "import",
        "transfer.importing",
        "import_file",
        _REGISTRY,
        "Import prompts: a bundle with its history into the registry, prompts of other systems as files for `sync apply`.",
    ),
    LazyCommand(
        "sync",
        "prompts_as_code.commands",
        "app",
        _REGISTRY,
        "Prompts as code: keep a folder of prompt files and the registry in sync.",
    ),
    LazyCommand("label", "registry.labels", "app", _REGISTRY, "Move, split and remove labels, and read their history."),
    LazyCommand("context", "context", "app", "Context", "Collections of documents from which prompts retrieve passages."),
    LazyCommand("eval", "evaluation.runs", "app", _EVALUATION, "Run suites and read their results."),
    LazyCommand("dataset", "evaluation.datasets", "app", _EVALUATION, "Datasets of the registry, and their cases as a file."),
    LazyCommand("feedback", "traffic.feedback", "app", _EVALUATION, "Feedback on versions in production."),
    LazyCommand("review", "review.commands", "app", _EVALUATION, "Review queues."),
    LazyCommand(
        "traffic",
        "traffic.commands",
        "app",
        _EVALUATION,
        "Production traffic: its figures, sampled calls, settings, and cases made of sampled calls.",
    ),
    LazyCommand("person", "access", "person_app", "Access", "Create people, and change what they may do."),
    LazyCommand("key", "access", "key_app", "Access", "Create, list and revoke API keys."),
    LazyCommand("audit", "access", "audit_app", "Access", "The audit chain."),
    LazyCommand("outbox", "outbox", "app", "Access", "Messages to Chroma, MLflow and webhooks that could not be delivered."),
)


class CommandGroup(LazyGroup):
    """The group of all commands."""

    lazy_commands = COMMANDS
