"""The click group ``micro``: its own flags, and how it finds its commands."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from micro.cli.commands import COMMANDS
from micro.cli.options import resolve, settings_options
from micro.errors import EXIT_USAGE


class MicroGroup(click.Group):
    """Imports only the built-in command that is called; loads the plugins to find any other."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = import_module(f"micro.cli.commands.{cmd_name}").command
            return command
        return self.commands.get(cmd_name) or self._of_plugins(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from difflib import get_close_matches

            close = get_close_matches(name, [*COMMANDS, *self.commands], n=1)
            hint = f"did you mean '{close[0]}'?" if close else "the commands are listed by `micro -h`."
            raise click.UsageError(f"No such command '{name}'; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def _of_plugins(self, ctx: click.Context, name: str) -> click.Command | None:
        from micro.service import Micro

        micro = Micro(resolve(ctx, {key: ctx.params.get(key) for key in ("config_file", "plugin_path")}))
        micro.loaded.call_guarded("micro_commands", cli=self)
        return self.commands.get(name)


@click.group(
    cls=MicroGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Plugins may add commands of their own. Exit codes: 0 done, 1 failed, 2 usage or configuration,"
    " 3 broker unreachable, 4 already running.",
)
@click.option("-d", "--default-values", is_flag=True, help="Show the default values as a JSON file and exit.")
@click.option("-v", "--version", is_flag=True, help="Show the version and exit.")
@click.option("-D", "--daemon", is_flag=True, help="Serve in the background; return when it is ready.")
@settings_options()
@click.pass_context
def cli(ctx: click.Context, /, default_values: bool, version: bool, daemon: bool, **flags: Any) -> None:
    """Serve Python plugins over REST (-G), over Celery (-C), or both."""
    ctx.obj = {name: value for name, value in flags.items() if value is not None}
    if version:
        _show_version()
    elif default_values:
        _show_defaults()
    elif ctx.invoked_subcommand is None:
        _serve(ctx, daemon=daemon)
    else:
        return
    ctx.exit()


def _show_version() -> None:
    from micro._version import __version__

    click.echo(f"micro (version {__version__})")


def _show_defaults() -> None:
    import json

    from micro.config.loading import default_file

    click.echo(json.dumps(default_file(), indent=4))


def _serve(ctx: click.Context, *, daemon: bool) -> None:
    settings = resolve(ctx, {})
    if not (settings.gunicorn or settings.celery):
        click.echo(ctx.get_help())
        click.echo("\nError: nothing to serve; give -G for REST, -C for Celery, or both.", err=True)
        ctx.exit(EXIT_USAGE)
    from micro.cli.commands import serve

    ctx.exit(serve.serve_in_background(settings) if daemon else serve.serve_in_foreground(settings))
