"""Models with a serializer of their own that are described in JSON Schema by their fields."""

from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class DescribedByFields(BaseModel):
    """A model whose JSON schema has its fields; its serializer alone would describe any object."""

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema of the fields."""
        return handler(_without_serializers(schema))


def _without_serializers(schema: Any) -> Any:
    """Return a core schema whose layers around the model, such as its validators, have no serializer."""
    layer = {key: value for key, value in schema.items() if key != "serialization"}
    return {**layer, "schema": _without_serializers(layer["schema"])} if layer["type"].startswith("function-") else layer
