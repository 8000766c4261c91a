from micro import hookimpl


@hookimpl
def micro_plugins():
    raise SystemExit("no models here")
