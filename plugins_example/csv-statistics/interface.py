from pathlib import Path

from report.columns import read_columns
from report.summary import summarize

from micro import PluginBase, PluginDescription, PluginError

SAMPLE = Path(__file__).with_name("penguins.csv")


class CsvStatistics(PluginBase):
    def run(self, csv: str | None = None, delimiter: str = ","):
        """Summarize the numeric columns of a CSV text.

        Args:
            csv: The table with a header line; left out, a sample that lies beside the plugin.
            delimiter: What separates the cells, one character.
        """
        text = SAMPLE.read_text() if csv is None else csv
        if len(delimiter) != 1:
            raise PluginError("delimiter must be one character", status=422, code="bad_delimiter")
        columns = read_columns(text, delimiter)
        if not columns:
            raise PluginError("the table has no numeric column", status=422, code="no_numbers")
        return {"columns": {name: summarize(values) for name, values in columns.items()}}


plugin = PluginDescription(
    name="CSV Statistics",
    version="1.0.0",
    description="Mean, median, spread and range of each numeric column of a CSV text",
    plugin_help="csv: the table as text (optional, a sample otherwise); delimiter: ',' if left out",
    examples=[
        {
            "params": {"csv": "city,km\nBari,12\nOslo,30"},
            "result": {
                "columns": {
                    "km": {"count": 2, "mean": 21.0, "median": 21.0, "stdev": 9.0, "min": 12.0, "max": 30.0}
                }
            },
        },
    ],
)
