"""The files through which the processes of one machine share their numbers; those of dead ones are merged."""

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
_PAST = 0
_MANY = 48


class MetricFiles:
    """The folder of the files, one for each process and kind of instrument, with room for so many plugins."""

    def __init__(self, folder: Path, plugins: int = 1) -> None:
        self.folder = folder
        self._size = max(_LEAST_SIZE, plugins * _SIZE_OF_PLUGIN)
        self.usable = True

    def prepare(self, pid: int) -> None:
        """Make the files of the process, in their full size; without them it counts no more, and says so.

        The library makes files with holes, and a process that writes into a hole of a full disk is killed.
        """
        try:
            if len(list(self.folder.iterdir())) > _MANY:
                # Where nobody asks for the numbers, nobody merges them either.
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
        """Hold the files still for whoever reads them, with those of dead processes merged."""
        # Whoever tidies up old files may have taken it away.
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "lock").open("ab") as file:
            lock(file.fileno(), wait=True)
            self._bury()
            yield

    def _bury(self) -> None:
        """Add what dead processes counted to one file, as otherwise there would be ever more of them."""
        for path in self.folder.glob("*_*.db"):
            kind, _, number = path.stem.rpartition("_")
            pid = int(number)
            if pid == _PAST or is_alive(pid):
                continue
            if not kind.startswith("gauge"):
                self._merge(path, self.folder / f"{kind}_{_PAST}.db")
            path.unlink(missing_ok=True)

    def _merge(self, path: Path, into: Path) -> None:
        # Imported late, like all of the library: nothing is counted before the first run.
        from prometheus_client.mmap_dict import MmapedDict

        past = MmapedDict(str(into))
        try:
            for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(path)):
                past.write_value(key, past.read_value(key)[0] + value, timestamp)
        finally:
            past.close()
