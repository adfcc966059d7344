"""Write the next migration from the tables: `make migration NAME='add a column'`.

It is compared with a new database at the newest revision, so that nobody's own database matters.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from earshot.database import db, schema


def write(message: str) -> None:
    """Write migrations/versions/NNNN_MESSAGE.py. Raises what Alembic raises."""
    with tempfile.TemporaryDirectory() as folder:
        engine = db.connect(f"sqlite:///{Path(folder) / 'newest.db'}")
        schema.upgrade(engine)
        settings = schema.config()
        with engine.begin() as connection:
            settings.attributes["connection"] = connection
            number = int(schema.newest()) + 1
            command.revision(settings, message, autogenerate=True, rev_id=f"{number:04}")
        engine.dispose()


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1]:  # noqa: PLR2004 -- this file and the message
        sys.exit("say what the migration does: make migration NAME='add a column'")
    write(sys.argv[1])
