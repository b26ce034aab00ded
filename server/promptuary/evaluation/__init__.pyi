from promptuary.cli.python.evaluate import EvaluationResult as EvaluationResult
from promptuary.cli.python.evaluate import evaluate as evaluate
