"""micro completion: prints the script that makes a shell complete commands, flags and plugin names."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

import click
from click.shell_completion import CompletionItem, get_completion_class

from micro.cli.options import load_quietly, resolve
from micro.errors import MicroError

_VARIABLE = "_MICRO_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, /, shell: str) -> None:
    """Print the script that makes a shell complete `micro`.

    \b
    bash:  echo 'eval "$(micro completion bash)"' >> ~/.bashrc
    zsh:   echo 'eval "$(micro completion zsh)"' >> ~/.zshrc
    fish:  micro completion fish > ~/.config/fish/completions/micro.fish
    """
    found = get_completion_class(shell)
    assert found is not None  # click has a class for each choice.
    click.echo(found(ctx.find_root().command, {}, "micro", _VARIABLE).source())


def complete_plugin(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the plugins whose URL form begins so; that form needs no quotes in a shell."""
    # Anything printed here, by plugins as they are imported too, would garble the line that is being typed.
    with redirect_stderr(io.StringIO()):
        try:
            micro = load_quietly(resolve(ctx, _given_flags(ctx)))
        except MicroError:
            return []
    return [
        CompletionItem(each.slug, help=" ".join((each.summary or "").split()))
        for each in micro.loaded
        if each.slug and each.slug.startswith(incomplete)
    ]


def _given_flags(ctx: click.Context) -> dict[str, object]:
    """Return the flags of the command and of ``micro`` itself, as click runs neither during completion."""
    given: dict[str, object] = {}
    for params in (ctx.find_root().params, ctx.params):
        given.update({name: params[name] for name in ("config_file", "plugin_path") if params.get(name)})
    return given
