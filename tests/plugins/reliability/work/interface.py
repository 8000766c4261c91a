import time
from pathlib import Path

from micro import PluginBase, PluginDescription, PluginError


class Work(PluginBase):
    """Takes a while and leaves a mark when it starts and when it has ended."""

    def run(self, folder: str, number: int, seconds: float, kind: str = "plain") -> dict[str, int]:
        marks = Path(folder) / "marks"
        mark(marks, f"{number} started")
        for _ in self.track(range(10)):
            time.sleep(seconds / 10)
        if kind == "refuses":
            raise PluginError(f"number {number} is refused", code="refused")
        if kind == "flaky" and marks.read_text().count(f"\n{number} started\n") < 2:
            raise ConnectionError("once in a while")
        mark(marks, f"{number} ended")
        return {"number": number}


def mark(file, words):
    # One small write at the end of a file is whole, whoever else writes there.
    with file.open("a") as marks:
        marks.write(words + "\n")


plugin = PluginDescription(name="Work", version="1.0.0", retries=1, retry_on=[ConnectionError])
