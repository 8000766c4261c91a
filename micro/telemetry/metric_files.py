"""Manages prometheus-client's multiprocess files, which hold the metrics of each process on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from micro.runtime.files import create_whole, is_alive, lock

log = logging.getLogger(__name__)

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_KINDS = ("counter", "histogram", "gauge_livesum")
_LEAST_SIZE, _SIZE_OF_PLUGIN = 1 << 16, 1 << 14
# Stands for the PID in the names of the merged files. No process has it.
_PAST = 0
# With more files than this, a new process merges those of dead ones.
_MANY = 48


class MetricFiles:
    """The folder of the metric files: one file for each process and kind of metric.

    Each file is made large enough for the metrics of ``plugins`` plugins.
    """

    def __init__(self, folder: Path, plugins: int = 1) -> None:
        self.folder = folder
        self._size = max(_LEAST_SIZE, plugins * _SIZE_OF_PLUGIN)
        self.usable = True

    def prepare(self, pid: int) -> None:
        """Create the files of the process at full size. If that fails, log a warning and count nothing.

        prometheus-client creates sparse files. They are mapped into memory, so writing to a hole of one
        on a full disk kills the process (SIGBUS).
        """
        try:
            if len(list(self.folder.iterdir())) > _MANY:
                # Files of dead processes are merged at each scrape; merge them here if there are no scrapes.
                with self.settled():
                    pass
            for kind in _KINDS:
                # Others may read the file as soon as it is there. A process of the same number may have left
                # its own, whose numbers are to stay.
                create_whole(self.folder / f"{kind}_{pid}.db", bytes(self._size), 0o666)
        except OSError as err:
            self.usable = False
            log.warning("Runs of this process are not counted: '%s' cannot be written (%s)", self.folder, err)

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Merge the files of dead processes, and hold the lock on the folder while the caller reads it."""
        # A cleaner of temporary files may have removed the folder.
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "lock").open("ab") as file:
            lock(file.fileno(), wait=True)
            self._bury()
            yield

    def _bury(self) -> None:
        """Merge the counts of dead processes into one file for each kind, so that files do not pile up."""
        for path in self.folder.glob("*_*.db"):
            kind, _, number = path.stem.rpartition("_")
            pid = int(number)
            if pid == _PAST or is_alive(pid):
                continue
            if not kind.startswith("gauge"):
                self._merge(path, self.folder / f"{kind}_{_PAST}.db")
            path.unlink(missing_ok=True)

    def _merge(self, path: Path, into: Path) -> None:
        # Imported late, like everything of prometheus-client: it is not needed before the first run.
        from prometheus_client.mmap_dict import MmapedDict

        past = MmapedDict(str(into))
        try:
            for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(path)):
                past.write_value(key, past.read_value(key)[0] + value, timestamp)
        finally:
            past.close()
