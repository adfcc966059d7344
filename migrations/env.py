"""Run the migrations on the connection that `earshot.database.schema` hands over."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from earshot.database.tables import Json, Table, Utc


def render(type_: str, obj: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    """Write our own column types as they are called in the schema."""
    if type_ == "type" and isinstance(obj, Utc | Json):
        autogen_context.imports.add("from earshot.database.tables import Json, Utc")
        return f"{type(obj).__name__}()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,
    render_item=render,
    compare_type=False,
)
with context.begin_transaction():
    context.run_migrations()
