"""Run migrations on the connection that `peerbot.schema` gives."""

from alembic import context

from peerbot.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
    compare_type=True,
    user_module_prefix="",  # a new migration imports UTCDateTime by its name
)
with context.begin_transaction():
    context.run_migrations()
