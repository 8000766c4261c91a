from micro import hookimpl


@hookimpl
def micro_app(app):
    app.config["HOOKS_ONLY"] = True


@hookimpl(optionalhook=True)
def micro_of_a_later_version():
    """A plugin may be ahead of the Micro it runs in."""
