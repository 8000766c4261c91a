"""micro config: shows every setting, its value and its source."""

from __future__ import annotations

import json
from typing import Any

import click

from micro.cli.options import resolve, settings_options
from micro.cli.tables import print_table
from micro.config.redaction import masked
from micro.config.settings import table, to_raw


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@settings_options()
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **flags: Any) -> None:
    """Show every setting, its value and where it came from; secrets are masked."""
    settings = resolve(ctx, flags)
    rows = [
        {
            "setting": each.name,
            "value": masked(each.name, to_raw(getattr(settings, each.name))),
            "source": settings.source(each.name),
        }
        for each in table()
    ]
    for section, options in (("gunicorn", settings.gunicorn_options), ("celery", settings.celery_options)):
        rows += [
            {
                "setting": f"{section}.{key}",
                "value": masked(key, value),
                "source": settings.source(f"{section}_options"),
            }
            for key, value in options.items()
        ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        lines = [(row["setting"], _as_text(row["value"]), row["source"]) for row in rows]
        print_table(("setting", "value", "source"), lines)


def _as_text(value: Any) -> str:
    """Return the value as JSON, but a string without quotes."""
    return value if isinstance(value, str) else json.dumps(value)
