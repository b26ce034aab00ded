"""MLflow's autologging of OpenAI, in a span that names the prompt."""

import mlflow
from application import ask, look_up, openai

mlflow.openai.autolog()
prompt = look_up()


@mlflow.trace(name="answer ticket")
def answer() -> str | None:
    """Answer the ticket."""
    mlflow.get_current_active_span().set_attributes(prompt.metadata)
    return ask(openai(), prompt)


answer()
mlflow.flush_trace_async_logging(terminate=True)
