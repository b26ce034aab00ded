"""The shop's assistant: looks an answer up."""

ANSWERS = {"opening hours": "We are open from 9 to 5.", "parking": "Park behind the house."}


def call_api(prompt, options, context):
    """Return the answer, after a greeting."""
    greeting = options.get("config", {}).get("greeting", "")
    return {
        "output": f"{greeting}. {ANSWERS[context['vars']['question']]}",
        "tokenUsage": {"total": 5, "prompt": 3, "completion": 2},
    }


def answer_shortly(prompt, options, context):
    """Return the answer alone; an application may fail."""
    if prompt == "parking":
        return {"error": "the map is not there"}
    return {"output": ANSWERS[prompt]}
