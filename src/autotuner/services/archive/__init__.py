"""A task with its artefacts as one file, and such a file as a task of another store."""

from autotuner.services.archive.exporting import export_archive, write_archive
from autotuner.services.archive.importing import OnConflict, TaskOfArchive, import_archive
from autotuner.services.archive.layout import MAX_ARCHIVE, MEDIA_TYPE, Manifest, archive_name, is_archive

__all__ = [
    "MAX_ARCHIVE",
    "MEDIA_TYPE",
    "Manifest",
    "OnConflict",
    "TaskOfArchive",
    "archive_name",
    "export_archive",
    "import_archive",
    "is_archive",
    "write_archive",
]
