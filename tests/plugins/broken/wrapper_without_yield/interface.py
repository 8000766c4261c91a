from micro import hookimpl


@hookimpl(wrapper=True)
def micro_run(plugin):
    return {}
