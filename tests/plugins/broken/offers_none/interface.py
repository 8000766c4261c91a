from micro import hookimpl


@hookimpl
def micro_plugins():
    return None
